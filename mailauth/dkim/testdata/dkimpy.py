"""Signs or verifies messages with dkimpy: a JSON list of requests on standard
input, a list of answers on standard output. Octets travel as characters of
Latin-1."""
import json
import sys

import dkim


def answer(req):
    message = req["message"].encode("latin-1")
    if req["do"] == "verify":
        zone = req["zone"]

        def txt(name, timeout=5):
            return zone.get(name.decode().rstrip("."), "").encode() or None

        try:
            ok = dkim.DKIM(message).verify(dnsfunc=txt)
            return "pass" if ok else "fail"
        except dkim.DKIMException as e:
            return str(e)
    form = req["form"].encode()
    algorithm = b"ed25519-sha256" if req["selector"] == "ed" else b"rsa-sha256"
    return dkim.DKIM(message, signature_algorithm=algorithm).sign(
        req["selector"].encode(), b"example.org", req["key"].encode(), canonicalize=(form, form)).decode("latin-1")


json.dump([answer(r) for r in json.load(sys.stdin)], sys.stdout)
