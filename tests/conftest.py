"""What holds for every test: no network, a frozen environment, and no quiet skipping.

Two things end a run as failed although no test failed:
- `--most-skipped 0.05`: more than one test in twenty was skipped (make test asks for it);
- PICDEED_REQUIRE_BROWSER=1: no test marked `browser` passed, or one was skipped (CI sets it).
"""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# No deadline: machines are busy. The steady profile draws the same examples on every run, so
# that a red run is about the change; `make soak` looks for new ones.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.register_profile(
    "soak", deadline=None, max_examples=2000, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

FROZEN = {
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "NO_COLOR": "1",
    "COLUMNS": "120",
    "TZ": "UTC",
}
UNSET = ("FORCE_COLOR", "CLICOLOR_FORCE", "GITHUB_ACTIONS", "SOURCE_DATE_EPOCH")
REQUIRE = "PICDEED_REQUIRE_"
_hf_home = pytest.StashKey[tempfile.TemporaryDirectory]()


def pytest_addoption(parser):
    parser.addoption(
        "--most-skipped",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="fail when more than this share of the tests was skipped (make test: 0.05)",
    )


def pytest_configure(config):
    """The environment that tests and the programs they start see, whoever runs them."""
    for name in [n for n in os.environ if n.startswith("PICDEED_") and not n.startswith(REQUIRE)]:
        del os.environ[name]
    for name in UNSET:
        os.environ.pop(name, None)
    os.environ.update(FROZEN)
    if not hasattr(config, "workerinput"):  # workers inherit it
        config.stash[_hf_home] = tempfile.TemporaryDirectory(prefix="picdeed-tests-hf-")
        os.environ["HF_HOME"] = config.stash[_hf_home].name


def pytest_unconfigure(config):
    if _hf_home in config.stash:
        config.stash[_hf_home].cleanup()


def is_local(host) -> bool:
    """Whether a socket address stays on this machine."""
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in ("", "localhost", "None"):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(autouse=True)
def _no_network(request, monkeypatch):
    """In this process only localhost answers, unless the test is marked `network`."""
    if request.node.get_closest_marker("network"):
        return
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def guarded_connect(self, address):
        if isinstance(address, tuple) and not is_local(address[0]):
            pytest.fail(f"a test without the network mark connected to {address[0]}")
        return connect(self, address)

    def guarded_look_up(host, *args, **kwargs):
        if not is_local(host):
            pytest.fail(f"a test without the network mark looked up {host}")
        return look_up(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("browser"):
            item.user_properties.append(("browser", True))  # survives the way from a worker


def complaints(stats, most_skipped: float, *, require_browser: bool) -> list[str]:
    """Why a run without a failed test is no good all the same."""
    skipped = stats.get("skipped", [])
    ran = sum(len(stats.get(kind, [])) for kind in ("passed", "failed", "xfailed", "xpassed"))
    found = []
    if len(skipped) > most_skipped * (ran + len(skipped)):
        found.append(
            f"{len(skipped)} of {ran + len(skipped)} tests were skipped; "
            f"at most {most_skipped:.0%} may be"
        )

    def journeys(kind):
        return [r for r in stats.get(kind, []) if ("browser", True) in r.user_properties]

    if require_browser and (journeys("skipped") or not journeys("passed")):
        found.append("the browser journey was not run, and PICDEED_REQUIRE_BROWSER is set")
    return found


def _complaints(config) -> list[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(config, "workerinput") or reporter is None or config.option.collectonly:
        return []
    return complaints(
        reporter.stats,
        config.getoption("--most-skipped"),
        require_browser=os.environ.get("PICDEED_REQUIRE_BROWSER", "") not in ("", "0"),
    )


def pytest_sessionfinish(session):
    if session.exitstatus == pytest.ExitCode.OK and _complaints(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    for line in _complaints(config):
        terminalreporter.write_line(f"FAILED run: {line}", red=True)
