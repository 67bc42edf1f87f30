from .impact import ImpactCustomer, ImpactFeature, ImpactReport
from .owner import OwnerKey, OwnerPlan, PackageSeal
from .package import ModuleLicense, Package
from .period import EntitlementSet, Holding, HoldingPeriod, UserPeriod
from .revision import CustomerRevision, RevisionEntry
from .seat import ChangeSet, ChangeSetRow, Override, Seat
from .subscription import Subscription, SubscriptionItem

__all__ = [
    "ChangeSet",
    "ChangeSetRow",
    "CustomerRevision",
    "EntitlementSet",
    "Holding",
    "HoldingPeriod",
    "ImpactCustomer",
    "ImpactFeature",
    "ImpactReport",
    "ModuleLicense",
    "Override",
    "OwnerKey",
    "OwnerPlan",
    "Package",
    "PackageSeal",
    "RevisionEntry",
    "Seat",
    "Subscription",
    "SubscriptionItem",
    "UserPeriod",
]
