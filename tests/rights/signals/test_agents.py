"""Is the list of crawlers dated data, with ourselves on it?"""

from __future__ import annotations

from datetime import date

import pytest

from picdeed.core.errors import IntegrityError
from picdeed.core.resources import bundled
from picdeed.rights.signals.agents import load_agents


def test_the_shipped_list():
    agents = load_agents(bundled("configs"))
    date.fromisoformat(agents.version)
    assert agents.names[0] == "picdeed"
    assert {"GPTBot", "Google-Extended", "CCBot", "ClaudeBot", "img2dataset"} <= set(agents.names)
    assert len(agents.names) == len({name.lower() for name in agents.names})


@pytest.mark.parametrize("text", ["", "version = 1", "= broken", 'version = "x"\nagent = [1]'])
def test_a_broken_list_is_an_error(tmp_path, text):
    (tmp_path / "signals").mkdir()
    (tmp_path / "signals" / "agents.toml").write_text(text)
    with pytest.raises(IntegrityError):
        load_agents(tmp_path)
