"""The words of the project: what is observed, what is judged, what is reported.

Everything here is frozen data. Addresses are strings in canonical form (RFC 5952), names are ASCII
without the final dot, times are milliseconds unless a name ends in ``_s``.
"""

from ipv6check.model.failures import TRANSIENT_KINDS as TRANSIENT_KINDS
from ipv6check.model.failures import VANTAGE_KINDS as VANTAGE_KINDS
from ipv6check.model.failures import BadInputError as BadInputError
from ipv6check.model.failures import ExtendedError as ExtendedError
from ipv6check.model.failures import Failure as Failure
from ipv6check.model.failures import Kind as Kind
from ipv6check.model.findings import Cause as Cause
from ipv6check.model.findings import Evidence as Evidence
from ipv6check.model.findings import Explained as Explained
from ipv6check.model.findings import Finding as Finding
from ipv6check.model.findings import Findings as Findings
from ipv6check.model.findings import Status as Status
from ipv6check.model.findings import fail as fail
from ipv6check.model.findings import ok as ok
from ipv6check.model.findings import skip as skip
from ipv6check.model.findings import unknown as unknown
from ipv6check.model.findings import warn as warn
from ipv6check.model.host import HostState as HostState
from ipv6check.model.host import Interface as Interface
from ipv6check.model.host import InterfaceAddress as InterfaceAddress
from ipv6check.model.host import Listener as Listener
from ipv6check.model.host import Loading as Loading
from ipv6check.model.host import NameServer as NameServer
from ipv6check.model.host import Preference as Preference
from ipv6check.model.host import Route as Route
from ipv6check.model.host import RuleFiles as RuleFiles
from ipv6check.model.host import RuleTexts as RuleTexts
from ipv6check.model.host import Stub as Stub
from ipv6check.model.network import Address as Address
from ipv6check.model.network import Answer as Answer
from ipv6check.model.network import Attempt as Attempt
from ipv6check.model.network import Constraint as Constraint
from ipv6check.model.network import Echo as Echo
from ipv6check.model.network import Endless as Endless
from ipv6check.model.network import Handshake as Handshake
from ipv6check.model.network import Port as Port
from ipv6check.model.network import Vantage as Vantage
from ipv6check.model.results import OWN_NAME as OWN_NAME
from ipv6check.model.results import SCHEMA_VERSION as SCHEMA_VERSION
from ipv6check.model.results import WORST_FIRST as WORST_FIRST
from ipv6check.model.results import GateOutcome as GateOutcome
from ipv6check.model.results import NoIPv6 as NoIPv6
from ipv6check.model.results import Note as Note
from ipv6check.model.results import Observed as Observed
from ipv6check.model.results import Place as Place
from ipv6check.model.results import RecordingError as RecordingError
from ipv6check.model.results import Report as Report
from ipv6check.model.results import Result as Result
from ipv6check.model.results import RuleDoc as RuleDoc
from ipv6check.model.results import RunInfo as RunInfo
from ipv6check.model.results import ServiceInfo as ServiceInfo
from ipv6check.model.results import Summary as Summary
from ipv6check.model.results import TargetReport as TargetReport
from ipv6check.model.results import Verdict as Verdict
from ipv6check.model.results import Waived as Waived
from ipv6check.model.results import Waiver as Waiver
from ipv6check.model.results import WaiverState as WaiverState
from ipv6check.model.results import verdict_of as verdict_of
from ipv6check.model.results import worst as worst
from ipv6check.model.settings import Profile as Profile
from ipv6check.model.settings import Settings as Settings
from ipv6check.model.text import printable as printable
