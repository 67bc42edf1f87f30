from .impact import ImpactCustomer, ImpactFeature, ImpactProblem, ImpactReport, ImpactVersion
from .migration import Migration, MigrationCustomer
from .notice import Notice
from .owner import OwnerKey, OwnerPlan, PackageSeal
from .package import ModuleLicense, Package
from .period import EntitlementSet, Holding, HoldingPeriod, UserPeriod
from .preview import ChangePreview, ChangePreviewRow
from .request import SeatRequest
from .revision import CustomerRevision, RevisionEntry
from .seat import ChangeSet, ChangeSetRow, Override, Seat
from .subscription import PlannedRelease, Subscription, SubscriptionItem
from .usage import UsageCounter, UsageReservation
from .user_list import UserList

__all__ = [
    "ChangePreview",
    "ChangePreviewRow",
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
    "Notice",
    "Override",
    "OwnerKey",
    "OwnerPlan",
    "Package",
    "PackageSeal",
    "PlannedRelease",
    "RevisionEntry",
    "Seat",
    "SeatRequest",
    "Subscription",
    "SubscriptionItem",
    "UsageCounter",
    "UsageReservation",
    "UserList",
    "UserPeriod",
]
