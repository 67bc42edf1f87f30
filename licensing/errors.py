"""Every refusal of this app; docs/api.md lists the codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from customers.errors import NotFound, Refusal


class SeatRefusal(Refusal):
    """A seat change that can't be made; the one user's, where several were asked for."""

    title = "Seat change refused"


class UserCannotHoldSeats(SeatRefusal):
    code = "user_cannot_hold_seats"

    def __init__(self, user: str, is_former_employee: bool) -> None:
        why = "is a former employee" if is_former_employee else "can't log in"
        super().__init__(
            f"{user} {why}, and so can't hold seats.",
            blocking={"kind": "user", "code": user},
            next_action="Reactivate the user first, or choose somebody else.",
        )


class UserIsErased(Refusal):
    code = "user_is_erased"
    title = "User erased"

    def __init__(self, user: str) -> None:
        super().__init__(
            f"{user} was erased: nothing says any more who it was, and nothing comes back.",
            blocking={"kind": "user", "code": user},
            next_action="Create a new user for the person.",
        )


class NotConfirmed(Refusal):
    """Something that can't be taken back wants the user's code typed."""

    code = "not_confirmed"
    status = 400
    title = "Not confirmed"

    def __init__(self, user: str) -> None:
        super().__init__(
            f"Erasing {user} can't be undone, so it wants the code typed once more.",
            blocking={"kind": "user", "code": user},
            next_action=f"Confirm with exactly {user!r}.",
        )


class SeatRequestRefused(Refusal):
    """More seats that can't be asked for, or a request that can't be answered like this."""

    code = "seat_request_refused"
    title = "Seat request refused"


class SeatsMoved(SeatRefusal):
    """Somebody else changed the user's seats since whoever asks looked at them."""

    code = "seats_moved"

    def __init__(self, user: str, expected: Sequence[str], held: Sequence[str]) -> None:
        super().__init__(
            f"{user}'s seats were changed in the meantime: {user} holds {', '.join(held) or 'nothing'} now.",
            blocking={"kind": "user", "code": user},
            next_action="Look at what the user holds now, then decide again.",
            details={"expected": list(expected), "held": list(held)},
        )


class ModuleNotInPackage(SeatRefusal):
    code = "module_not_in_package"

    def __init__(self, module: str) -> None:
        super().__init__(
            f"{module} is not part of the customer's active package.",
            blocking={"kind": "module", "code": module},
            next_action="Add the plan or add-on to the subscription, then assign it.",
        )


class ModuleNotAssignable(SeatRefusal):
    code = "module_not_assignable"

    def __init__(self, module: str) -> None:
        super().__init__(
            f"{module} is a site licence: everybody has it, nobody is given it.",
            blocking={"kind": "module", "code": module},
            next_action="Nothing needs to be assigned.",
        )


class ModuleIsHidden(SeatRefusal):
    code = "module_is_hidden"

    def __init__(self, module: str, plans: Sequence[str]) -> None:
        through = f"one of the plans that carry it: {', '.join(plans)}" if plans else "a plan that carries it"
        super().__init__(
            f"{module} is hidden: it comes with a plan and is never assigned by hand.",
            blocking={"kind": "module", "code": module},
            next_action=f"Assign {through}.",
            details={"plans": list(plans)},
        )


class NoSeatLeft(SeatRefusal):
    code = "no_seat_left"

    def __init__(self, module: str, total: int, needed: int, holders: Sequence[str]) -> None:
        first = f", for instance {', '.join(holders)}" if holders else ""
        super().__init__(
            f"All {total} seats of {module} are taken; {needed} more would be needed.",
            blocking={"kind": "module", "code": module},
            next_action=f"Release a seat of somebody who needs it no longer{first}; or buy more seats.",
            details={"total": total, "needed": needed, "could_give_up": list(holders)},
        )


class MissingPrerequisite(SeatRefusal):
    code = "missing_prerequisite"

    def __init__(self, user: str, module: str, prerequisite: str, carriers: Sequence[str]) -> None:
        help_ = f"Give {user} {' or '.join(carriers)} too" if carriers else f"Add {prerequisite} to the subscription"
        super().__init__(
            f"{module} needs {prerequisite}, which {user} would not hold.",
            blocking={"kind": "module", "code": prerequisite},
            next_action=f"{help_}, or leave {module} out.",
            details={"user": user, "module": module, "carried_by": list(carriers)},
        )


class SolutionWouldBeLost(SeatRefusal):
    code = "solution_would_be_lost"

    def __init__(self, user: str, assigned: str, released: Sequence[str], lost: Sequence[str]) -> None:
        super().__init__(
            f"Assigning {assigned} releases {', '.join(released)}, and {user} would lose {', '.join(lost)}.",
            blocking={"kind": "module", "code": released[0]},
            next_action="Assign a plan for each lost solution in the same request, or say accept_loss.",
            details={"user": user, "released": list(released), "lost_solutions": list(lost)},
        )


class ConflictingPlans(SeatRefusal):
    code = "conflicting_plans"

    def __init__(self, user: str, first: str, second: str) -> None:
        super().__init__(
            f"{first} and {second} cover the same solution; {user} can hold one of them.",
            blocking={"kind": "module", "code": second},
            next_action="Ask for one of the two.",
        )


class SeatNotHeld(NotFound):
    code = "seat_not_held"
    title = "Seat not held"

    def __init__(self, user: str, module: str) -> None:
        super().__init__("seat", module)
        self.message = f"{user} does not hold {module}."
        self.blocking = {"kind": "seat", "code": module, "user": user}
        self.next_action = "Nothing needs to be released."


class NotRecorded(NotFound):
    code = "not_recorded"
    title = "Not recorded"

    def __init__(self, kind: str, code: str, at: datetime) -> None:
        super().__init__(kind, code)
        self.message = f"Nothing is recorded of {kind} {code!r} at {at.isoformat()}: it did not exist yet."
        self.next_action = "Ask about a later instant."


class ItemsRefused(Refusal):
    """The subscription's items don't go together; `faults` says everything that is wrong."""

    code = "items_refused"
    title = "Items refused"

    def __init__(self, faults: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(
            " ".join(str(fault["message"]) for fault in faults),
            next_action="Mend what is listed and try again.",
            details={"faults": [dict(fault) for fault in faults]},
        )


class NoSubscription(ItemsRefused):
    """Nothing can be changed where nothing runs."""

    code = "no_subscription"
    title = "No subscription"

    def __init__(self, customer: str) -> None:
        super().__init__([{"code": "no_subscription", "message": f"{customer} has no running subscription."}])
        self.blocking = {"kind": "customer", "code": customer}
        self.next_action = "Start a subscription first."


class SubscriptionCancelled(Refusal):
    code = "subscription_cancelled"
    title = "Subscription cancelled"

    def __init__(self, customer: str, ends_at: datetime) -> None:
        super().__init__(
            f"The subscription is cancelled already; it ends on {ends_at.date().isoformat()}.",
            blocking={"kind": "subscription", "code": customer},
            next_action="Take the cancellation back if it is to go on.",
            details={"ends_at": ends_at.isoformat()},
        )


class NothingScheduled(Refusal):
    code = "nothing_scheduled"
    title = "Nothing scheduled"

    def __init__(self, what: str, message: str = "") -> None:
        super().__init__(
            message or f"Nothing is scheduled for {what}.",
            blocking={"kind": "subscription", "code": what},
            next_action="Look at the timeline for what is scheduled.",
        )


class NothingToActivate(Refusal):
    code = "nothing_to_activate"
    title = "Nothing to activate"


class NothingToCompare(Refusal):
    """A draft that can't be published as it is has no impact that could be worked out."""

    code = "nothing_to_compare"
    title = "Nothing to compare"

    def __init__(self, version: str, faults: Sequence[str]) -> None:
        super().__init__(
            f"{version} can't be published as it is: {' '.join(faults)}",
            blocking={"kind": "version", "code": version},
            next_action="Mend the draft, then look at its impact again.",
            details={"faults": list(faults)},
        )


class WouldNotFit(Refusal):
    """A pending package has fewer seats than are held; `details.superfluous` lists what to remove."""

    code = "package_does_not_fit"
    title = "Package does not fit"

    def __init__(self, package: str, superfluous: Sequence[Mapping[str, Any]]) -> None:
        listed = ", ".join(f"{row['remove']} of {row['module']}" for row in superfluous)
        super().__init__(
            f"{package} has fewer seats than are in use: remove {listed}.",
            blocking={"kind": "package", "code": package},
            next_action="Release the seats listed, then activate it.",
            details={"superfluous": [dict(row) for row in superfluous]},
        )


class OverrideRefused(Refusal):
    code = "override_refused"
    title = "Override refused"


class NoSigningKey(Refusal):
    """Packages are signed, and there is nothing to sign them with."""

    code = "no_signing_key"
    status = 503
    title = "No signing key"

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            next_action="Set SIGNING_KEY or SIGNING_KEY_FILE; `manage.py license keygen FILE` makes a key.",
        )


class BadPackage(Refusal):
    """A package file that can't be taken in; `faults` says everything that is wrong, each with line and element."""

    code = "bad_package"
    status = 400
    title = "Bad package"

    def __init__(self, faults: Sequence[Mapping[str, Any]], warnings: Sequence[Mapping[str, Any]] = ()) -> None:
        first = faults[0]["message"] if faults else ""
        more = f" And {len(faults) - 1} more." if len(faults) > 1 else ""
        super().__init__(
            f"The package has {len(faults)} fault{'s' * (len(faults) != 1)}, so nothing was stored. {first}{more}",
            next_action="Have its issuer correct what is listed.",
            details={"faults": [dict(fault) for fault in faults], "warnings": [dict(each) for each in warnings]},
        )


class PackageDamaged(Refusal):
    """A recorded package isn't what was signed: somebody edited it behind the application's back."""

    code = "package_damaged"
    title = "Package damaged"

    def __init__(self, package: str, sentences: Sequence[str]) -> None:
        super().__init__(
            f"{package} is not what was signed. {' '.join(sentences)}",
            blocking={"kind": "package", "code": package},
            next_action="Tell whoever operates Planarium; `manage.py license verify --all` lists what is damaged.",
        )


class OwnLicenseStays(Refusal):
    """C-38: the own owner's licence is changed by its subscription, never removed."""

    code = "own_license_stays"
    title = "Own licence stays"

    def __init__(self, owner: str) -> None:
        super().__init__(
            f"{owner} is our own; its licence can't be removed.",
            blocking={"kind": "owner", "code": owner},
            next_action="Change or cancel the subscription.",
        )


class KeyRefused(Refusal):
    code = "key_refused"
    title = "Key refused"


class CustomerUnclear(Refusal):
    code = "customer_unclear"
    status = 403
    title = "Which customer?"

    def __init__(self) -> None:
        super().__init__(
            "This address names no customer, and you are not bound to one.",
            next_action="Use a key that is bound to a single customer.",
        )


class NoAssociate(Refusal):
    code = "no_associate"
    status = 404
    title = "No such user"

    def __init__(self) -> None:
        super().__init__(
            "Nobody is signed in who is the user of one customer.",
            next_action="Sign in with an account that is linked to one user of a customer.",
        )


class MigrationRefusal(Refusal):
    """Something that can't be done with a migration of customers as it stands."""

    title = "Migration refused"


class NotPublished(MigrationRefusal):
    code = "target_not_published"

    def __init__(self, version: str) -> None:
        super().__init__(
            f"{version} isn't on sale, so nobody can be moved to it.",
            blocking={"kind": "version", "code": version},
            next_action="Choose a published version that isn't retired.",
        )


class NobodyToMove(MigrationRefusal):
    code = "nobody_to_move"

    def __init__(self, cohort: str, version: str) -> None:
        super().__init__(
            f"No customer ({cohort}) is on another version than {version}.",
            blocking={"kind": "version", "code": version},
            next_action="Choose other customers, or another version.",
        )


class NotPreviewed(MigrationRefusal):
    code = "not_previewed"

    def __init__(self, migration: str) -> None:
        super().__init__(
            "What this would do has not been worked out yet.",
            blocking={"kind": "migration", "code": migration},
            next_action="Wait until the preview is there, look at it, then start.",
        )


class NotInState(MigrationRefusal):
    """The migration is in another state than this needs; somebody may have been faster."""

    code = "migration_not_in_state"

    def __init__(self, migration: str, state: str, verb: str) -> None:
        super().__init__(
            f"This migration is {state}, so it can't be {verb}.",
            blocking={"kind": "migration", "code": migration, "state": state},
            next_action="Look at it again; somebody may have been faster.",
        )


class MovedSince(MigrationRefusal):
    """A customer's plan is not on the version that the migration brought it to any more."""

    code = "moved_since"

    def __init__(self, customer: str, offer: str, now: str) -> None:
        super().__init__(
            f"{customer} has {now} of {offer} now: it was moved again since, and stays where it is.",
            blocking={"kind": "customer", "code": customer},
            next_action="Move the customer by a migration of its own, if that is wanted.",
        )


class NothingToRollBack(MigrationRefusal):
    code = "nothing_to_roll_back"

    def __init__(self, migration: str, what: str) -> None:
        super().__init__(
            f"{what} was not moved by this migration, or has gone back already.",
            blocking={"kind": "migration", "code": migration},
            next_action="Nothing needs to be rolled back.",
        )


class RevisionNotReached(Refusal):
    """A read names a revision that the customer has not come to; on the primary, none has been given out yet."""

    code = "revision_not_reached"
    title = "Revision not reached"
    retry_after = 1

    def __init__(self, customer: str, *, asked: int, reached: int) -> None:
        super().__init__(
            f"{customer} is at revision {reached}, and revision {asked} was asked for.",
            blocking={"kind": "revision", "code": str(asked)},
            next_action="Ask with a revision that an answer of this customer named, or try again in a moment.",
            details={"revision": reached},
        )


class ChangesGone(Refusal):
    """What happened after a revision is not known in full, so it can't be followed from there.

    `erased`: a user was erased since, and is told under no name any more (docs/adr/0026).
    """

    code = "changes_gone"
    status = 410
    title = "Changes not kept"

    def __init__(self, customer: str, after: int, *, erased: bool = False) -> None:
        super().__init__(
            f"The changes of {customer} after revision {after} can't be followed: a user was erased since, "
            "and whoever was is named nowhere any more."
            if erased
            else f"The changes of {customer} after revision {after} are not all kept.",
            blocking={"kind": "revision", "code": str(after)},
            next_action="Take a new snapshot, and follow the changes after its revision.",
            details={"reset": True},
        )
