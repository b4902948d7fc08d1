"""What one may do: permissions, and the fixed roles that hold them.

Endpoints ask for a permission, never for a role. A permission reads `scope:resource:action`.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """One thing that can be allowed. Alphabetical."""

    ACCESS_MATRIX_CHANGE = "access:matrix:change"
    ACCESS_MATRIX_READ = "access:matrix:read"
    ACCESS_TOKEN_MANAGE = "access:token:manage"  # noqa: S105 - a permission's name
    ACCESS_USER_MANAGE = "access:user:manage"
    DEMO_TIME_STEP = "demo:time:step"
    GRANTS_LEASE_READ = "grants:lease:read"
    GRANTS_LEASE_REVOKE = "grants:lease:revoke"
    GRANTS_REQUEST_APPROVE = "grants:request:approve"
    GRANTS_REQUEST_ASK = "grants:request:ask"
    GRANTS_SET_CONFIRM = "grants:set:confirm"
    GRANTS_SET_PROPOSE = "grants:set:propose"
    IDENTITY_COMPANY_READ = "identity:company:read"
    IDENTITY_CONTRACT_END = "identity:contract:end"
    IDENTITY_HISTORY_READ = "identity:history:read"
    IDENTITY_HOLD_CHANGE = "identity:hold:change"
    IDENTITY_PERSON_END = "identity:person:end"
    IDENTITY_PERSON_ERASE = "identity:person:erase"
    IDENTITY_PERSON_READ = "identity:person:read"
    IDENTITY_PERSON_REVEAL = "identity:person:reveal"
    KEYS_ADOPTION_READ = "keys:adoption:read"
    KEYS_ADOPTION_RUN = "keys:adoption:run"
    KEYS_BRAKE_CONFIRM = "keys:brake:confirm"
    KEYS_CABINET_IMPORT = "keys:cabinet:import"
    KEYS_CUSTODY_CHANGE = "keys:custody:change"
    KEYS_DRIFT_DECIDE = "keys:drift:decide"
    KEYS_DRIFT_POLICY = "keys:drift:policy"
    KEYS_EVENT_READ = "keys:event:read"
    KEYS_EXPOSURE_READ = "keys:exposure:read"
    KEYS_EXPOSURE_SETTLE = "keys:exposure:settle"
    KEYS_KEY_BLOCK = "keys:key:block"
    KEYS_KEY_READ = "keys:key:read"
    KEYS_KEY_UNBLOCK = "keys:key:unblock"
    KEYS_SEALED_USE = "keys:sealed:use"
    LEDGER_LOG_EXPORT = "ledger:log:export"
    LEDGER_WIDENING_ALLOW = "ledger:widening:allow"
    PLANT_CYLINDER_READ = "plant:cylinder:read"
    PLANT_FILE_IMPORT = "plant:file:import"
    PLANT_ZONE_SWITCH = "plant:zone:switch"
    POLICY_BUNDLE_ACTIVATE = "policy:bundle:activate"
    POLICY_BUNDLE_PROPOSE = "policy:bundle:propose"
    POLICY_BUNDLE_READ = "policy:bundle:read"
    POLICY_DECISION_EXPLAIN = "policy:decision:explain"
    SAFETY_CHECKIN_RECORD = "safety:checkin:record"
    SAFETY_HOLD_RELEASE = "safety:hold:release"
    SYSTEM_STATUS_READ = "system:status:read"
    WORK_PAPER_WRITE = "work:paper:write"
    WORK_PERMIT_READ = "work:permit:read"
    WORK_STATE_MAP = "work:state:map"


class Role(StrEnum):
    """The fixed roles. Alphabetical."""

    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    CISO = "ciso"
    CONTRACTOR_COORDINATOR = "contractor_coordinator"
    HSE = "hse"
    KEY_DESK = "key_desk"
    PERMIT_ISSUER = "permit_issuer"
    SECURITY_MANAGER = "security_manager"
    SHIFT_LEADER = "shift_leader"
    SOC = "soc"
    WORKER = "worker"


_P = Permission

# What everybody on shift looks at.
_READING: Final = frozenset(
    {
        _P.GRANTS_LEASE_READ,
        _P.IDENTITY_COMPANY_READ,
        _P.IDENTITY_PERSON_READ,
        _P.KEYS_ADOPTION_READ,
        _P.KEYS_EVENT_READ,
        _P.KEYS_EXPOSURE_READ,
        _P.KEYS_KEY_READ,
        _P.PLANT_CYLINDER_READ,
        _P.POLICY_BUNDLE_READ,
        _P.POLICY_DECISION_EXPLAIN,
        _P.SYSTEM_STATUS_READ,
        _P.WORK_PERMIT_READ,
    }
)

PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    # Runs the installation: users, tokens, files. Opens nothing and sees nobody's comings and goings.
    Role.ADMINISTRATOR: frozenset(
        {
            _P.ACCESS_MATRIX_READ,
            _P.ACCESS_TOKEN_MANAGE,
            _P.ACCESS_USER_MANAGE,
            _P.DEMO_TIME_STEP,
            _P.PLANT_CYLINDER_READ,
            _P.PLANT_FILE_IMPORT,
            _P.POLICY_BUNDLE_READ,
            _P.SYSTEM_STATUS_READ,
            _P.WORK_STATE_MAP,
        }
    ),
    # Reads everything, changes nothing.
    Role.AUDITOR: _READING | {_P.ACCESS_MATRIX_READ, _P.LEDGER_LOG_EXPORT},
    # Answers for security as a whole: reads, exports, and is the second person for rules and the matrix.
    Role.CISO: _READING
    | {
        _P.ACCESS_MATRIX_CHANGE,
        _P.ACCESS_MATRIX_READ,
        _P.IDENTITY_HISTORY_READ,
        _P.IDENTITY_HOLD_CHANGE,
        _P.IDENTITY_PERSON_ERASE,
        _P.LEDGER_LOG_EXPORT,
        _P.LEDGER_WIDENING_ALLOW,
        _P.POLICY_BUNDLE_ACTIVATE,
    },
    # Looks after the firms that send people; ends a contract, gives nothing.
    Role.CONTRACTOR_COORDINATOR: frozenset(
        {
            _P.GRANTS_LEASE_READ,
            _P.IDENTITY_COMPANY_READ,
            _P.IDENTITY_CONTRACT_END,
            _P.IDENTITY_PERSON_READ,
            _P.KEYS_KEY_READ,
            _P.SYSTEM_STATUS_READ,
            _P.WORK_PERMIT_READ,
        }
    ),
    # Looks into what happened, and records check-ins of people who work alone.
    Role.HSE: _READING | {_P.IDENTITY_HISTORY_READ, _P.SAFETY_CHECKIN_RECORD},
    # Hands keys out and takes them back.
    Role.KEY_DESK: _READING | {_P.IDENTITY_PERSON_REVEAL, _P.KEYS_CABINET_IMPORT, _P.KEYS_CUSTODY_CHANGE},
    Role.PERMIT_ISSUER: _READING
    | {_P.GRANTS_REQUEST_APPROVE, _P.GRANTS_REQUEST_ASK, _P.SAFETY_CHECKIN_RECORD, _P.WORK_PAPER_WRITE},
    Role.SECURITY_MANAGER: _READING
    | {
        _P.GRANTS_LEASE_REVOKE,
        _P.GRANTS_REQUEST_APPROVE,
        _P.GRANTS_REQUEST_ASK,
        _P.GRANTS_SET_CONFIRM,
        _P.GRANTS_SET_PROPOSE,
        _P.ACCESS_MATRIX_CHANGE,
        _P.ACCESS_MATRIX_READ,
        _P.IDENTITY_CONTRACT_END,
        _P.IDENTITY_HISTORY_READ,
        _P.IDENTITY_HOLD_CHANGE,
        _P.IDENTITY_PERSON_END,
        _P.IDENTITY_PERSON_ERASE,
        _P.IDENTITY_PERSON_REVEAL,
        _P.KEYS_ADOPTION_RUN,
        _P.KEYS_BRAKE_CONFIRM,
        _P.KEYS_CABINET_IMPORT,
        _P.KEYS_CUSTODY_CHANGE,
        _P.KEYS_DRIFT_DECIDE,
        _P.KEYS_DRIFT_POLICY,
        _P.KEYS_EXPOSURE_SETTLE,
        _P.KEYS_KEY_BLOCK,
        _P.KEYS_KEY_UNBLOCK,
        _P.KEYS_SEALED_USE,
        _P.LEDGER_LOG_EXPORT,
        _P.LEDGER_WIDENING_ALLOW,
        _P.PLANT_FILE_IMPORT,
        _P.PLANT_ZONE_SWITCH,
        _P.POLICY_BUNDLE_ACTIVATE,
        _P.POLICY_BUNDLE_PROPOSE,
        _P.SAFETY_HOLD_RELEASE,
    },
    Role.SHIFT_LEADER: _READING
    | {
        _P.GRANTS_LEASE_REVOKE,
        _P.GRANTS_REQUEST_APPROVE,
        _P.GRANTS_REQUEST_ASK,
        _P.GRANTS_SET_CONFIRM,
        _P.GRANTS_SET_PROPOSE,
        _P.IDENTITY_PERSON_REVEAL,
        _P.KEYS_BRAKE_CONFIRM,
        _P.KEYS_CUSTODY_CHANGE,
        _P.KEYS_DRIFT_DECIDE,
        _P.KEYS_EXPOSURE_SETTLE,
        _P.KEYS_KEY_BLOCK,
        _P.KEYS_KEY_UNBLOCK,
        _P.KEYS_SEALED_USE,
        _P.SAFETY_CHECKIN_RECORD,
        _P.SAFETY_HOLD_RELEASE,
        _P.WORK_PAPER_WRITE,
    },
    Role.SOC: _READING | {_P.GRANTS_LEASE_REVOKE, _P.GRANTS_SET_PROPOSE, _P.KEYS_KEY_BLOCK},
    # Opens the page about himself, which needs no permission, and nothing else.
    Role.WORKER: frozenset(),
}
"""What the roles hold in the matrix that ships; a site's own matrix takes its place."""

GIVES_KEYS: Final = frozenset(
    {
        _P.GRANTS_REQUEST_APPROVE,
        _P.GRANTS_SET_CONFIRM,
        _P.KEYS_ADOPTION_RUN,
        _P.KEYS_BRAKE_CONFIRM,
        _P.KEYS_CUSTODY_CHANGE,
        _P.KEYS_DRIFT_POLICY,
        _P.KEYS_KEY_UNBLOCK,
        _P.KEYS_SEALED_USE,
        _P.LEDGER_WIDENING_ALLOW,
        _P.PLANT_ZONE_SWITCH,
        _P.POLICY_BUNDLE_ACTIVATE,
        _P.POLICY_BUNDLE_PROPOSE,
        _P.SAFETY_HOLD_RELEASE,
        _P.WORK_PAPER_WRITE,
    }
)
"""What lets somebody into the plant or widens what a key opens; never together with managing users."""

MANAGES_USERS: Final = frozenset({_P.ACCESS_USER_MANAGE})

BUILT_IN_SECOND: Final = frozenset(
    {
        _P.ACCESS_MATRIX_CHANGE,
        _P.GRANTS_SET_CONFIRM,
        _P.GRANTS_SET_PROPOSE,
        _P.KEYS_ADOPTION_RUN,
        _P.KEYS_DRIFT_POLICY,
        _P.PLANT_ZONE_SWITCH,
        _P.POLICY_BUNDLE_ACTIVATE,
        _P.POLICY_BUNDLE_PROPOSE,
        _P.SAFETY_HOLD_RELEASE,
        _P.WORK_PAPER_WRITE,
    }
)
"""Acts that wait for a second person by themselves wherever they widen; no matrix can drop that."""

ALWAYS_SECOND: Final = frozenset({_P.IDENTITY_HOLD_CHANGE, _P.IDENTITY_PERSON_ERASE})
"""Acts that take a second person whatever the matrix says."""

ONLY_LOOKS: Final = frozenset(
    {permission for permission in _P if permission.endswith(":read")} - {_P.IDENTITY_HISTORY_READ}
    | {_P.LEDGER_LOG_EXPORT, _P.POLICY_DECISION_EXPLAIN}
)
"""What only looks: nothing is asked for before a page is read."""

BY_UNIT: Final = frozenset({_P.GRANTS_REQUEST_APPROVE})
"""What can be limited to a unit or an area: acts that know where they take effect."""

ASKS_REASON: Final = frozenset(
    {
        _P.ACCESS_MATRIX_CHANGE,
        _P.GRANTS_LEASE_REVOKE,
        _P.GRANTS_REQUEST_ASK,
        _P.GRANTS_SET_PROPOSE,
        _P.IDENTITY_CONTRACT_END,
        _P.IDENTITY_HISTORY_READ,
        _P.IDENTITY_HOLD_CHANGE,
        _P.IDENTITY_PERSON_END,
        _P.IDENTITY_PERSON_ERASE,
        _P.IDENTITY_PERSON_REVEAL,
        _P.KEYS_EXPOSURE_SETTLE,
        _P.KEYS_DRIFT_DECIDE,
        _P.KEYS_DRIFT_POLICY,
        _P.KEYS_KEY_BLOCK,
        _P.KEYS_KEY_UNBLOCK,
        _P.PLANT_ZONE_SWITCH,
        _P.WORK_STATE_MAP,
    }
)
"""What the matrix that ships asks a reason for."""

SECOND_FOR: Final = frozenset(
    {
        (Role.CISO, _P.IDENTITY_HISTORY_READ),
        (Role.HSE, _P.IDENTITY_HISTORY_READ),
        (Role.SECURITY_MANAGER, _P.KEYS_KEY_UNBLOCK),
        (Role.SHIFT_LEADER, _P.KEYS_KEY_UNBLOCK),
    }
)
"""Where the matrix that ships asks one role, and not another, for a second person."""


def permissions_of(roles: Iterable[str]) -> frozenset[Permission]:
    """Return what these roles may do together; a role that is not known gives nothing."""
    known = {str(role) for role in Role}
    return frozenset(permission for role in roles if role in known for permission in PERMISSIONS[Role(role)])


def parse_permissions(names: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions among names; one that is not known (any more) gives nothing."""
    known = {str(permission) for permission in Permission}
    return frozenset(Permission(name) for name in names if name in known)
