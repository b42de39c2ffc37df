"""What a simulated citizen hears is timed by the clock; whole shifts are in tests/live."""

import asyncio
from pathlib import Path

import pytest

from crm import settings as configuration
from crm.database import Database
from ivr.phone import Phone, audio
from scripts.training import TrainingError, _Citizen, environment, running, shift, stop

HOME = {"HOTLINE_HOME": "/nowhere/real"}


def test_spans_of_sound_are_told_in_seconds_since_the_call(sqlite: Database) -> None:
    async def scenario() -> tuple[tuple[float, float], ...]:
        async with Phone("127.0.0.1", user="1022") as desk, Phone(
            "127.0.0.2", server=desk.address, user="01812340000"
        ) as phone:
            call = await phone.call("1022")
            theirs = await desk.incoming(5)
            theirs.answer()
            assert await call.answered(5)
            citizen = _Citizen(configuration.load(HOME), sqlite, phone, {}, "01812340000")
            listening = asyncio.create_task(citizen._listens(call))
            await asyncio.sleep(1)
            theirs.play(audio.tone(300, 1.0))
            await asyncio.sleep(3.5)
            theirs.play(audio.tone(300, 0.5))
            await asyncio.sleep(1)
            await theirs.hang_up()
            return await listening

    first, second = asyncio.run(scenario())
    assert 0.5 <= first[0] <= 2
    assert 0.6 <= first[1] - first[0] <= 2.5
    assert 4 <= second[0] <= 6


def test_a_training_takes_nothing_of_the_real_hotline_that_leads_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOTLINE_TRUNK_SERVER", "203.0.113.2")
    real = configuration.load({
        "HOTLINE_HOME": str(tmp_path), "HOTLINE_TRUNK_SERVER": "203.0.113.2",
        "HOTLINE_DATABASE_URL": "postgresql://real/hotline", "HOTLINE_EMERGENCY_MEDICAL": "115",
    })
    own = configuration.load(environment(real))
    assert (own.stage, own.trunk_server, own.emergency_medical) == ("training", None, ())
    assert own.database_url == f"sqlite:///{tmp_path / 'training' / 'hotline.db'}"
    assert own.sip_bind.port == real.sip_bind.port + 100
    with pytest.raises(TrainingError, match="the training itself"):
        environment(own)


def test_simulated_citizens_never_call_the_real_hotline(tmp_path: Path) -> None:
    real = configuration.load({"HOTLINE_HOME": str(tmp_path)})
    with pytest.raises(TrainingError, match="never the real hotline"):
        asyncio.run(shift(real, 1, 1, ()))
    assert running(real) is None
    assert stop(real) is False
