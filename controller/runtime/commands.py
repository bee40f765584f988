"""`parcelgate line start|stop|clear|resume-journal NAME --who PERSON`: a supervisor's word to a line.

It goes over the line's own socket on this machine, and what the line answers is printed. Exit status 0
if the line did it, 1 if it refused or did not answer, 2 if the question cannot be asked.
"""

import argparse
import os
import socket
import sys
from pathlib import Path

from controller import wire
from controller.core.events import JournalRecovered, LineRequested
from controller.core.snapshot import LineSnapshot
from controller.core.vocabulary import LineRequest

DONE, NOT_DONE = 0, 1
DEFAULT_STATE_DIR = Path("run")
# A disk that does not confirm within this is not well.
ANSWER_S_MAX = 30.0
_READ_BYTES = 65_536
_REQUESTS = {
    "start": (LineRequest.START, "let the line run"),
    "stop": (LineRequest.STOP, "stop the infeed; the belt clears itself"),
    "clear": (LineRequest.CLEAR, "end an abort whose cause is gone"),
}
RESUME = "resume-journal"


class NoAnswer(RuntimeError):
    """The line did not do it, or nobody can tell; one sentence."""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `line`."""
    parser = subparsers.add_parser("line", help="a supervisor's word to a running line")
    verbs = parser.add_subparsers(required=True, metavar="start | stop | clear | resume-journal")
    asked = [(verb, words) for verb, (_, words) in _REQUESTS.items()]
    asked.append(
        (RESUME, "the journal's disk is well, or what was set aside is known: release again")
    )
    for verb, words in asked:
        each = verbs.add_parser(verb, help=words)
        each.add_argument("line", metavar="NAME", help="the line's name in its line.toml")
        each.add_argument("--who", required=True, metavar="PERSON", help="who answers for it")
        each.add_argument(
            "--state-dir",
            type=Path,
            default=DEFAULT_STATE_DIR,
            metavar="DIR",
            help=f"as in line.toml (default: {DEFAULT_STATE_DIR})",
        )
        each.set_defaults(run=_run, verb=verb)


def _run(options: argparse.Namespace) -> int:
    message: LineRequested | JournalRecovered
    if options.verb == RESUME:
        message = JournalRecovered(options.who)
    else:
        message = LineRequested(_REQUESTS[options.verb][0], options.who)
    path = options.state_dir / f"line-{options.line}.sock"
    try:
        line = ask(path, message)
    except NoAnswer as error:
        print(error, file=sys.stderr)
        return NOT_DONE
    word = "Releases may resume" if options.verb == RESUME else f"{options.verb}: taken"
    print(f"{line.line}: {word}; the line is {line.state.name} ({line.cause.name}).")
    return DONE


def ask(
    line_socket: Path, message: LineRequested | JournalRecovered, answer_s_max: float = ANSWER_S_MAX
) -> LineSnapshot:
    """Give the word; the line as it is after it. NoAnswer if it refuses or stays silent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(answer_s_max)
        try:
            channel.connect(str(line_socket))
            hello = wire.Hello("supervisor", 0, os.getpid())
            channel.sendall(wire.encode_frame(hello) + wire.encode_frame(message))
            return _answer(channel)
        except TimeoutError as error:
            why = f"the line has not answered within {answer_s_max:g} s; nothing was resumed"
            raise NoAnswer(f"{why}: is its disk standing still?") from error
        except OSError as error:
            why = error.strerror or str(error)
            raise NoAnswer(f"the line does not answer at {line_socket}: {why}.") from error
        except wire.WireError as error:
            raise NoAnswer(f"what answers at {line_socket} is no line of this version.") from error


def _answer(channel: socket.socket) -> LineSnapshot:
    buffer = wire.FrameBuffer()
    while data := channel.recv(_READ_BYTES):
        for message in buffer.feed(data):
            if isinstance(message, LineSnapshot):
                return message
            if isinstance(message, wire.Refused):
                raise NoAnswer(f"The line refuses: {message.why}")
    raise NoAnswer("the line closed the connection without an answer.")
