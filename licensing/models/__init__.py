from .impact import ImpactCustomer, ImpactFeature, ImpactProblem, ImpactReport, ImpactVersion
from .migration import Migration, MigrationCustomer
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
    "ImpactProblem",
    "ImpactReport",
    "ImpactVersion",
    "Migration",
    "MigrationCustomer",
    "ModuleLicense",
    "Override",
    "Package",
    "RevisionEntry",
    "Seat",
    "Subscription",
    "SubscriptionItem",
    "UserPeriod",
]
