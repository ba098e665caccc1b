"""Validates ARC chains with dkimpy: a JSON object of a zone and messages on
standard input, a list of states on standard output. Octets travel as characters
of Latin-1."""
import json
import sys

import dkim

req = json.load(sys.stdin)


def txt(name, timeout=5):
    return req["zone"].get(name.decode().rstrip("."), "").encode() or None


json.dump([dkim.arc_verify(m.encode("latin-1"), dnsfunc=txt)[0].decode() for m in req["messages"]], sys.stdout)
