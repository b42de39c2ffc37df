"""The compiler: pure, complete, and true to the rules that hold everywhere."""

import re
import tempfile
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from crm import packs, switches
from crm.branches import ALL_QUEUES, BRANCHES, LANGUAGES, QUEUES, TOLD_BRANCHES
from crm.carriers import Carrier
from crm.setting_values import Expert
from ivr import menu
from ivr.dialplan import compile_dialplan
from ivr.provision import FROM_PATTERN, MENUS
from prompts.catalogue import Catalogue
from scripts.speech import DIALPLAN_PROMPTS
from tests import generated_menus

TARGETS = {"medical": ("115", "02373000115"), "fire": ("114",), "police": (), "rescue": ()}

CARRIER = Carrier(
    1, ("203.0.113.0/29",), "203.0.113.2", None, None, "udp", "0", "pai", "rfc4733", ("alaw",),
    "yes", 30, None,
)
SECOND = replace(CARRIER, index=2, match=(), server="198.51.100.7:5070", form="+84")

DOCTOR = Expert("bs.an", "0912000951", "mon-fri", "07:00-17:00")


def compiled(**overrides: object) -> str:
    values: dict[str, object] = {
        "numbers": ("1022", "+842371022"), "capacity": 10, "queue_timeout_s": 900, "wrapup_s": 20,
        "emergency_targets": dict.fromkeys(("medical", "fire", "police", "rescue"), ()),
        "carriers": (), "recordings": Path("/r"),
        "messages": Path("/m"), "no_room": Path("/full"), "draining": Path("/draining"),
        "asterisk_major": 22, **overrides,
    }
    return compile_dialplan(values.pop("menus", None) or menu.load(MENUS), **values)  # type: ignore[arg-type]


def contexts(text: str) -> dict[str, str]:
    parts = re.split(r"^\[([\w.-]+)\]$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_same_menus_give_the_same_text() -> None:
    assert compiled() == compiled()
    assert "HL_MARKER=" in compiled()
    assert compiled(capacity=11) != compiled()


def test_only_the_hotlines_own_numbers_come_in() -> None:
    door = contexts(compiled())["from-trunk"]
    assert re.findall(r"^exten => ([^,]+),1", door, re.MULTILINE) == ["1022", "+842371022"]


def test_four_leads_to_emergency_wherever_one_key_is_asked_for() -> None:
    text = compiled(
        emergency_targets=TARGETS, carriers=(CARRIER,), duty_phones=("0912000001",),
        experts=(DOCTOR,),
        languages=LANGUAGES,
    )
    places = {
        "hl-closed", "hl-waited", "hl-message", "hl-full", "hl-blocked", "hl-lookup", "hl-case",
        "hl-case-again", "hl-lookup-early", "hl-lookup-way-out", "hl-experts-keys",
        "hl-duty-keys", "hl-callback", "hl-survey", "hl-bulletin-first", "hl-told-keys",
        "hl-message-failed", "hl-language",
    }
    asked = {
        name: text for name, text in contexts(text).items()
        if name.startswith(("hl-menu-", "hl-leaf-", "hl-waiting-", "hl-queue-"))
        or name in places
    }
    asked.pop("hl-waiting-emergency")  # these callers are there already
    assert places < asked.keys()
    for name, text in asked.items():
        four = re.search(r"^exten => 4,1,.*?(?=^exten|\Z)", text, re.MULTILINE | re.DOTALL)
        assert four, name
        ways = ("hl-emergency,s,1", "hl-waiting-", "hl-lookup-way-out,4,1", "hl-lookup,four,1")
        assert any(way in four[0] for way in ways), name


def test_every_goto_leads_to_a_context_that_exists() -> None:
    text = compiled(emergency_targets=TARGETS, carriers=(CARRIER,), languages=LANGUAGES)
    known = set(contexts(text))
    for branch in BRANCHES:
        if branch.queue and branch.id != "emergency":
            assert f"hl-branch-{branch.id}" in known
    for target in re.findall(r"(?:Goto|Gosub)\((hl-[\w-]+),", text):
        assert target in known, target
    for queue in ALL_QUEUES:
        assert f"hl-waiting-{queue}" in known


def test_every_jump_within_an_extension_leads_to_a_label_of_it() -> None:
    """A label stands with the extension before it: one that was moved behind another is lost."""
    for text in (
        compiled(), compiled(carriers=(CARRIER,)),
        compiled(node="th1", nodes=("th1", "th2"), holders=dict.fromkeys(QUEUES, "th1")),
    ):
        for name, context in contexts(text).items():
            for extension in re.split(r"^exten => (?=[^,]+,1,)", context, flags=re.MULTILINE)[1:]:
                labels = set(re.findall(
                    r"^(?: same => n|[^,\n]+,1)\((\w+)\)", extension, re.MULTILINE
                ))
                jumps = [
                    *re.findall(r"^ same => n(?:\(\w+\))?,Goto\((\w+)\)$", extension, re.MULTILINE),
                    *(target for both in re.findall(
                        r"GotoIf(?:Time)?\(.*\?([\w,:-]*)\)$", extension, re.MULTILINE
                    ) for target in both.split(":") if target and "," not in target),
                ]
                assert set(jumps) <= labels, f"{name}, {extension.split(',')[0]}"


@settings(max_examples=25)
@given(st.integers(0, 1 << 30))
def test_any_menus_without_faults_become_contexts_with_all_their_keys(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        generated_menus.write(Path(folder), seed)
        menus = menu.load(Path(folder))
    found = contexts(compiled(menus=menus))
    for one in menus.menus.values():
        text = found[f"hl-menu-{one.name}"]
        assert {option.key for option in one.options} <= set(
            re.findall(r"^exten => ([0-9*#]),1,", text, re.MULTILINE)
        )
    assert {f"hl-leaf-{name}" for name in menus.leaves} <= found.keys()
    for target in re.findall(r"(?:Goto|Gosub)\((hl-[\w-]+),", "".join(found.values())):
        assert target in found, target


def test_nothing_from_a_caller_is_dialled_executed_or_evaluated() -> None:
    text = compiled(
        emergency_targets=TARGETS, carriers=(CARRIER,), duty_phones=("0912000001",),
        experts=(DOCTOR,)
    )
    applications = set(re.findall(r"(?:,1,|=> n(?:\(\w+\))?,|same => n,)(\w+)\(", text))
    assert not applications & {"System", "TrySystem", "AGI", "EAGI", "Exec", "ExecIfTime", "Eval"}
    assert re.findall(r"Dial\(([^)]*)\)", text) == [
        "${HL_WAY},30,f(${HL_AS}",  # hotline trunk test
        "Local/${ARG1}@hl-person,60,dm",  # a number of the settings
        "${HL_WAY},20,f(${HL_AS}",  # to this person, by a carrier
        # what hl-outside knows
        "${HL_DIAL},30,f(${HL_AS}", "${HL_DIAL},45,f(${HL_AS}", "${HL_WAY},45,f(${HL_AS}",
        # the phone that an agent has just spoken at
        "${HL_SEAT},$[${HL_UNTIL} - ${EPOCH} + 1],dgm(hold",
        # the extension of a context that only digits of a checked number lead to
        *["${HL_WAY},30,f(${HL_AS}"] * 4,  # a call back, an incident, a broadcast, a duty
        *["${HL_WAY},20,f(${HL_AS}"] * 3,  # an emergency service
    ]
    assert re.findall(r"Gosub\(hl-way,s,1\(([^)]*)\)", text) == [
        "${HL_RING}", "${EXTEN}", *["${HL_OUT}"] * 4, *["${EXTEN}"] * 4,
        "115", "02373000115", "114",
    ]
    assert "${CALLERID(num)}" not in text.replace("${FILTER(+0-9,${CALLERID(num)})}", "")
    assert "CALLERID(name)" not in text


def test_emergency_keys_lead_to_their_service_and_redirect_while_another_rings() -> None:
    parts = contexts(compiled(emergency_targets=TARGETS, carriers=(CARRIER,)))

    def keys(name: str) -> dict[str, str]:
        steps = re.findall(
            r"^exten => (\d),1,.*\n same => n,Goto\(hl-emergency-(\w+),s,1\)", parts[name],
            re.MULTILINE,
        )
        return dict(steps)

    assert keys("hl-emergency") == {
        "1": "medical", "4": "medical", "2": "fire", "3": "police", "5": "rescue"
    }
    # who presses the same key again must not make the telephone there ring anew
    assert keys("hl-redirect-medical") == {"2": "fire", "3": "police", "5": "rescue"}
    assert keys("hl-redirect-fire") == {"1": "medical", "3": "police", "5": "rescue"}
    assert keys("hl-waiting-emergency") == {
        "1": "medical", "2": "fire", "3": "police", "5": "rescue"
    }


def test_a_service_that_sees_no_number_is_told_it() -> None:
    text = compiled(emergency_targets=TARGETS, carriers=(replace(CARRIER, identity="none"),))
    assert "Dial(${HL_WAY},20,f(${HL_AS})db(hl-way-leg^s^1)U(hl-whisper^${HL_CALLER}))" in text
    assert "hl-whisper" in contexts(text)
    assert "hl-whisper" not in compiled(emergency_targets=TARGETS, carriers=(CARRIER,))


def test_a_number_goes_out_by_each_carrier_in_its_own_form_and_by_none_twice() -> None:
    way = contexts(compiled(carriers=(replace(CARRIER, channels=30), SECOND)))["hl-way"]
    assert re.findall(r"hl-form,s,1\(\$\{ARG1\},(\S*)\)\)", way) == ["", "+84"]
    assert re.findall(r"HL_WAY=PJSIP/\$\{GOSUB_RETVAL\}@(\w+)", way) == ["carrier", "carrier2"]
    assert "${GROUP_COUNT(carrier@line)} >= 30" in way
    assert "GROUP_COUNT(carrier2@line)" not in way


def test_callers_leave_each_carrier_the_channels_that_are_kept_for_emergencies() -> None:
    door = contexts(compiled(carriers=(
        replace(CARRIER, channels=30), replace(SECOND, match=("198.51.100.64/27",), channels=100)
    )))["hl-door"]
    assert "${GROUP_COUNT(carrier@in)} > 26]?hl-overload,s,1" in door
    assert "${GROUP_COUNT(carrier2@in)} > 90]?hl-overload,s,1" in door
    first = int(IPv4Address("198.51.100.64"))
    assert f"${{HL_ADDRESS}} >= {first} & ${{HL_ADDRESS}} <= {first + 31}]" in door


def test_without_a_carrier_no_outside_number_is_dialled() -> None:
    text = compiled(emergency_targets=TARGETS, carriers=())
    assert "@carrier" not in text
    # an agent's phone, and what hl-outside knows: nothing
    assert set(re.findall(r"Dial\(([^,]*),", text)) == {"${HL_SEAT}", "${HL_DIAL}"}
    assert re.findall("exten => .*", contexts(text)["hl-outside"]) == ["exten => none,1,Return()"]


def test_a_doctor_off_duty_is_not_rung_and_the_channels_for_calls_going_out_are_counted() -> None:
    found = contexts(compiled(carriers=(CARRIER,), experts=(DOCTOR,), callback_legs=2))
    assert "GotoIfTime(07:00-17:00,mon-fri,*,*,Asia/Ho_Chi_Minh?on1)" in found["hl-experts"]
    assert "GROUP_COUNT(out@callback_leg)} >= 2" in found["hl-person"]
    without = contexts(compiled(carriers=(CARRIER,)))
    assert "hl-branch-advice" in without["hl-menu-advice"]
    assert "Goto(hl-experts" not in "".join(without.values())


def test_calls_of_broadcasts_leave_channels_free_and_9_opts_out() -> None:
    found = contexts(compiled(carriers=(CARRIER,), callback_legs=4, broadcast_legs=2))
    ringing = found["hl-broadcast"]
    assert "GROUP_COUNT(out@broadcast_leg)} > 2]?end" in ringing
    assert "GROUP_COUNT(out@callback_leg)} > 4]?end" in ringing
    assert ringing.index("?end") < ringing.index("Dial(")
    assert "HL_OPT_OUT,call=${HL_CALL}" in found["hl-broadcast-keys"]
    assert "Goto(hl-told-keys,4,1)" in found["hl-broadcast-keys"]  # emergency, as everywhere
    assert "hl-broadcast-keys" in found["hl-broadcast-told"]


def test_a_queue_holds_as_many_as_are_set_and_emergency_all() -> None:
    found = contexts(compiled(queue_limits={"vaccine": 40}))
    assert "Gosub(hl-limit,s,1(vaccine,40))" in found["hl-queue-vaccine"]
    assert "${HL_AHEAD} >= ${GOSUB_RETVAL}]?hl-full" in found["hl-queue-vaccine"]
    assert "hl-full" not in found["hl-emergency-queue"]
    assert "queue_full_message" in found["hl-full"]  # nobody can be called back


def test_switches_are_an_allow_list_of_extensions() -> None:
    lines = re.findall(r"^exten => (\S+?),1,", contexts(compiled())["hl-switch"], re.MULTILINE)
    named = [
        f"{name}={value}" for name, values in switches.KNOWN.items() for value in values
    ]
    days = [f"_day[.]XXXXXXXX={value}" for value in ("auto", "ope[n]", "closed")]
    lists = ["_poi[n]ts[.]test=.", "_poi[n]ts[.]vacci[n]atio[n]=.", "_poi[n]ts[.]relief=."]

    def patterns(kind: str, of: tuple[str, ...]) -> list[str]:
        return [f"{kind}[.]{one.replace('n', '[n]')}=." for one in of]

    assert lines == [
        *named, "_i[n]cide[n]t=.", *patterns("_i[n]cide[n]t", TOLD_BRANCHES),
        *patterns("_limit", switches.LIMITED), "_bulleti[n]=.", *lists,
        "_staff[.]X.", "_pi[n][.]X.", "_block[.][0-9+]X.", *days
    ]


def with_office_hours() -> menu.Menus:
    """The menus, with testing in the hours of an office."""
    menus = menu.load(MENUS)
    hours = (menu.Hours("mon-fri", "07:00-11:30"), menu.Hours("mon-fri", "13:30-17:00"))
    changed = {
        name: replace(one, hours=hours) if one.branch == "testing" else one
        for name, one in menus.menus.items()
    }
    return replace(menus, menus=changed)


def test_holidays_and_days_set_by_hand_come_before_the_hours() -> None:
    text = compiled(menus=with_office_hours())
    assert "HL_HOLIDAYS_2027=,0101," in text
    parts = contexts(text)
    testing = parts["hl-branch-testing"]
    order = ["hl-closed,s,1", "day.${HL_DAY}", "hl-closed,holiday,1", "HL_HOLIDAYS_", "mon-fri"]
    places = [testing.index(word) for word in order]
    assert places == sorted(places)
    assert "HL_HOLIDAYS_" not in parts["hl-branch-advice"]  # always open is always open


def test_no_key_skips_a_part_of_what_must_be_heard() -> None:
    for arguments in re.findall(r"ControlPlayback\(([^)]*)\)", compiled()):
        _, _, forward, rewind, stop, _, restart = arguments.split(",")
        # app_controlplayback.c: # and * skip and go back unless they mean something else
        assert (forward, rewind) == ("", "")
        assert set("#*") <= set(stop + restart)


def test_queue_arguments_fit_asterisk_20_and_22() -> None:
    # 20: queuename,options,URL,announce,timeout,AGI,macro,gosub; 21 took the macro out
    assert ",,,${HL_FOR},,hl-answer)" in compiled()
    assert ",,,${HL_FOR},,,hl-answer)" in compiled(asterisk_major=20)


def test_the_door_refuses_percent_encoded_control_characters_only() -> None:
    door = re.compile(FROM_PATTERN.strip("/"))
    assert door.match("<sip:%2B84912345678@carrier.example>;tag=1")
    assert door.match('"Nguyễn" <sip:0912345678@192.0.2.1>;tag=1')
    for hostile in ("%0D%0A", "%0a", "%7F", "%c2%85", "%00", "%", "%4"):
        assert not door.match(f"<sip:0912{hostile}@carrier.example>"), hostile


def test_the_door_is_not_for_who_calls_himself_as_our_own_phones_are_called() -> None:
    """Strangers are then asked for a secret, whether there is such a phone or not."""
    door = re.compile(FROM_PATTERN.strip("/"))
    for name in ("seat-001", "seat-999", "desk-01", "trunk", "trunk-web", "carrier", "carrier2"):
        assert not door.match(f"<sip:{name}@x>;tag=1"), name
        assert not door.match(f"sip:{name}@x"), name
        assert not door.match(f'"a \\" <sip:1@x" <sip:{name}@x>'), name
    for name in ("seated", "dan", "s", "car", "desks", "tru", "thanhhoa1022", "anonymous", "1022"):
        assert door.match(f'"x" <sip:{name}@x>;tag=1'), name
    assert door.match("<tel:+84912345678>;tag=1")
    assert door.match("<sip:198.51.100.1>;tag=1")


def test_the_last_quarter_of_an_hour_is_told_and_who_waits_longer_is_asked_again() -> None:
    found = contexts(compiled(menus=with_office_hours(), carriers=(CARRIER,)))
    closing = re.findall(r"GotoIfTime\(([^,]*),[^?]*\?closing\)", found["hl-branch-testing"])
    assert closing == ["11:15-11:30", "16:45-17:00"]
    assert "branch_closing" in found["hl-queue-testing"]
    assert "queue_timeout" in found["hl-waited"]
    assert "hl-branch-${HL_BRANCH},s,1" in found["hl-waited"]  # the hours are looked at again
    without = contexts(compiled(carriers=()))
    assert "branch_closing" not in without["hl-queue-testing"]
    assert "queue_timeout" not in without["hl-waited"]


def test_every_prompt_that_the_dialplan_names_is_among_those_that_must_be_there() -> None:
    text = compiled(
        emergency_targets=TARGETS, carriers=(CARRIER,), duty_phones=("0912000001",),
        experts=(DOCTOR,),
        languages=LANGUAGES,
    ) + compiled(carriers=())
    named = set(re.findall(r"[a-z][a-z0-9_]+", text)) & Catalogue.load().prompts.keys()
    named -= menu.load(MENUS).leaves.keys()  # some are called after what they say
    needed = {one.split(".")[0] for one in [*menu.spoken(menu.load(MENUS)), *DIALPLAN_PROMPTS]}
    assert named <= needed


def test_a_language_that_nobody_has_recorded_is_not_offered() -> None:
    without, found = contexts(compiled()), contexts(compiled(languages=LANGUAGES[1:2]))
    assert "hl-language" not in without
    assert "lang_hint" not in without["hl-menu-main"]
    assert "exten => #,1" not in without["hl-menu-main"]
    assert "exten => #,1" in found["hl-menu-main"]
    assert found["hl-menu-main"].count("Background(lang_hint)") == 1
    # and where it was recorded, only while somebody is there who speaks it
    assert "QUEUE_MEMBER(thai,logged)} = 0" in found["hl-menu-main"]
    assert re.findall(r"exten => (\d),1,Set\(HL_TONGUE=(\w*)", found["hl-language"]) == [
        ("1", ""), ("3", "_thai")
    ]
    assert "hl-queue-${HL_TONGUE:1},s,1" in found["hl-queue-vaccine"]
    assert "hl-branch-${HL_BRANCH},s,open" in found["hl-queue-thai"]


def test_whoever_waits_is_told_the_place_by_the_dialplan_and_near_the_front_by_nobody() -> None:
    found = contexts(compiled())
    line = found["hl-queue-vaccine"]
    near = "${HL_AHEAD} >= 2 * ${QUEUE_MEMBER(vaccine,logged)}"
    assert line.count(near) == 2  # how long to wait in the queue, and whether to say the place
    assert line.index("Set(QUEUESTATUS=)") < line.index("Queue(vaccine,")  # none of the time before
    told = found["hl-say-wait"]
    assert "queue_position.1&n_${HL_AHEAD}&queue_position.2" in told
    assert "over&h_${MATH(${HL_AHEAD} / 100,int)}" in told  # more than 100


def test_math_is_asked_for_one_operator_as_it_knows_no_more() -> None:
    for line in compiled(carriers=(CARRIER,)).splitlines():
        for sum_ in re.findall(r"MATH\((.*?),int\)", line):
            values = re.sub(r"\$\{(?:[^{}]|\{[^{}]*\})*\}", "", sum_)
            assert len(re.findall(r"[-+*/()]", values)) == 1, line


def test_agents_ring_services_doctors_help_lines_and_numbers_of_the_allowed_beginnings() -> None:
    found = contexts(compiled(
        carriers=(CARRIER,), emergency_targets=TARGETS, transfer_prefixes=("0237", "09"),
        help_lines=("111",), experts=(DOCTOR,),
    ))["hl-outside"]
    assert re.findall(r"exten => ([^,]+),", found) == [
        "service-medical", "service-fire", "doc-bs.an", "111", "_0237X.", "_09X.", "none"
    ]


def test_agents_come_in_by_telephone_only_where_there_is_a_number_and_a_carrier() -> None:
    given = {"staff_number": "02371023", "staff_key": "key-of-the-test"}
    for without in (compiled(carriers=(CARRIER,)), compiled(**given)):
        assert "[hl-staff]" not in without
        assert "[hl-mobile]" not in without
    text = compiled(carriers=(CARRIER,), **given)
    assert "exten => 02371023,1" in contexts(text)["from-trunk"]
    staff, members = contexts(text)["hl-staff"], contexts(text)["hl-staff-member"]
    assert "SHA1(key-of-the-test:" in staff
    # the same queues, levels and rules: no pause keeps emergencies away
    for place, queue in enumerate(ALL_QUEUES):
        served = f'"${{HL_SERVES:{place}:1}}" != "0"]?AddQueueMember({queue},'
        assert f"{served}${{HL_INTERFACE}},$[${{HL_SERVES:{place}:1}} - 1]," in members
    assert "PauseQueueMember(emergency" not in members
    # told by nothing that would stand in the journal or in a log
    assert not re.search(r"(CELGenUserEvent|UserEvent|NoOp|Log)\([^)]*HL_PIN", text)


def test_the_notice_of_a_pack_is_said_where_the_switch_names_none_and_nothing_is_full() -> None:
    flood = compiled(menus=menu.load(MENUS, packs.named("flood")))
    main = contexts(flood)["hl-menu-main"]
    assert main.index("DB(switch/notice)") < main.index("=high_volume") < main.index("=disaster")
    assert "Set(HL_NOTE=disaster)" not in compiled()


def test_a_caller_who_hangs_up_is_led_nowhere_meanwhile() -> None:
    """A redirect breaks off what is done at a caller's end: the agent stayed in an empty room."""
    found = contexts(compiled())
    assert found["hl-end"].index("exten => s,1,Set(SHARED(HL_OVER)=yes)") < 300
    looks, leads = "${SHARED(HL_OVER,${HL_CHANNEL})}", "ChannelRedirect(${HL_CHANNEL},"
    back = found["hl-room-agent"].split("exten => back,1,")[1]
    for text in (back, found["hl-room-left"]):
        assert 0 < text.index(looks) < text.index(leads)


def test_out_of_a_question_aside_nobody_comes_in_before_those_two_have_left() -> None:
    """The citizen came into the room that was being left, the supervisor into a new one of its
    name: neither heard the other."""
    found = contexts(compiled())
    aside = found["hl-takeover"].split("n(aside),")[1].split("exten => left")[0]
    order = [aside.index(text) for text in (
        "=taken)", "SoftHangup(${HL_SPIED})", "hl-room-rid,s,1(${SHARED(HL_GUEST,",
        "hl-room-rid,s,1(${HL_SPIED})", "!= \"taken\"]?late", "ChannelRedirect(",
        "hl-room-agent,in",
    )]
    assert order == sorted(order)
    # nor does who was asked meet the citizen on the way out; the supervisor's leg may be lost
    left = found["hl-room-left"].split("n(aside),")[1]
    assert left.index('= "yes" & 0${HL_PARTIES} > 0]?meet') < left.index("hl-room,left,1")


def test_whoever_was_rung_for_in_vain_for_long_enough_joins_the_queue_without_a_pause() -> None:
    """In the second of a pause a free agent was given somebody who had come later."""
    lost = contexts(compiled())["hl-agent-lost"]
    missed = lost.index("Act: missed")
    leaves = lost.index("GotoIf($[${EPOCH} >= ${HL_UNTIL}]?queue)", missed)
    assert missed < leaves < lost.index("Wait(1)", missed)


def test_nothing_is_recorded_and_no_message_taken_while_the_disk_is_nearly_full() -> None:
    found = contexts(compiled())
    looks = "${STAT(e,/full)}"
    assert 0 < found["hl-record"].index(looks) < found["hl-record"].index("MixMonitor(")
    assert [name for name, text in found.items() if " => n,MixMonitor(" in text] == [
        "hl-record", "hl-message"]
    message = found["hl-message"]
    assert message.index(looks) < message.index("Background(")
    # leaves and cases that have asked for a message lead here
    assert message.index("n(record),GotoIf(" + looks) < message.index("Playback(beep)")


def test_a_queue_that_another_node_holds_is_asked_for_before_anything_is_said() -> None:
    text = contexts(compiled(
        node="th1", nodes=("th1", "th2"), holders=dict.fromkeys(QUEUES, "th1") | {"vaccine": "th2"},
        carriers=(CARRIER,),
    ))
    assert "Set(HL_HOLDER=th2)" in text["hl-holder"]
    first = text["hl-queue-vaccine"].index("hl-pass,vaccine,1")
    assert first < text["hl-queue-vaccine"].index("Background")
    assert "hl-pass,emergency,1" in text["hl-emergency-queue"]
    assert {f"node.{queue}={name}" for queue in QUEUES for name in ("th1", "th2")} <= set(
        re.findall(r"^exten => (\S+?),1,", text["hl-switch"], re.MULTILINE))


def test_the_place_of_a_call_back_goes_with_its_queue_and_rings_nobody_from_two_nodes() -> None:
    several = contexts(compiled(
        node="th1", nodes=("th1", "th2"), holders=dict.fromkeys(QUEUES, "th1"), carriers=(CARRIER,),
    ))
    goes = 'ExecIf($["${HL_HOLDER}" != ""]?Hangup(16))'
    idle, dial = several["hl-callback-idle"], several["hl-callback-dial"]
    assert "n(wait),Gosub(hl-holder,${HL_QUEUE},1)" in idle
    assert idle.index(goes) < idle.index("Wait(5)")
    assert dial.index(goes) < dial.index("HL_NOW)=rings") < dial.index("Dial(")
    alone = contexts(compiled(carriers=(CARRIER,)))
    assert "hl-holder" not in alone["hl-callback-idle"] + alone["hl-callback-dial"]


def test_only_other_nodes_lead_callers_in_and_only_to_queues() -> None:
    several = contexts(compiled(
        node="th1", nodes=("th1", "th2"), holders=dict.fromkeys(QUEUES, "th1")))
    assert re.findall(r"^exten => (\S+?),1,", several["from-node"], re.MULTILINE) == [
        *QUEUES, "_[ds]e."]  # and, for a supervisor who listens there, to phones
    assert "X-Hotline-Arrived" in several["hl-passed"]
    alone = compiled()
    assert "from-node" not in alone
    assert "X-Hotline-Arrived" not in alone
    assert "HL_FIRST" not in alone
