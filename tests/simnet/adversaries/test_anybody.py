from protocols.agreement.machine import Agreement
from protocols.effects import Publish, Send
from protocols.events import Received
from protocols.wire.messages import Status, Vote
from simnet.adversaries import anybody
from tests.protocols.playbook import COMMITTEE, ROUND, VIEW, round_of
from tests.simnet.adversaries.stand import a_scene

ME = COMMITTEE[0]
STATUS = ME.sign(Status(VIEW.slot(ROUND), None, ()))
VOTE = ME.sign(Vote(VIEW.slot(ROUND), 0, 1, None, None))
MACHINE = next(each for each in round_of(ME).machines if isinstance(each, Agreement))


def test_silence_to_all_but_oneself() -> None:
    silent = anybody.Silent(a_scene())
    assert list(silent.change(Send(VIEW.committee[1], VOTE))) == []
    assert list(silent.change(Publish("subnet", STATUS))) == []
    assert list(silent.change(Send(ME.key, VOTE))) == [Send(ME.key, VOTE)]


def test_selective_silence_reaches_every_type_and_leaves_out_some_receivers() -> None:
    lost = {
        (to, kept)
        for seed in range(40)
        for to in VIEW.committee[1:]
        for kept in [bool(list(anybody.SilentAtSome(a_scene(seed=seed)).change(Send(to, VOTE))))]
    }
    assert len(lost) == 2 * len(VIEW.committee[1:])
    assert len(anybody.STEPS) == 11


def test_late_and_replays() -> None:
    scene = a_scene()
    anybody.Late(scene)
    assert scene.veil.delay_s >= 0.5
    scene.ring.heard.append(STATUS)
    replays = anybody.Replay(scene)
    sent = [each for _ in range(40) for each in replays.does(MACHINE, Received(VOTE), [], 0.0)]
    assert {each.signed for each in sent if isinstance(each, Send)} == {STATUS}
    assert ME.key not in {each.to for each in sent if isinstance(each, Send)}
