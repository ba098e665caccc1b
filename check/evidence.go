package check

import (
	"net/netip"

	"sluice"
	"sluice/message"
	"sluice/reason"
)

// facts holds the evidence that each reason of the catalogue makes.
var facts = func() map[sluice.Reason]sluice.Evidence {
	out := map[sluice.Reason]sluice.Evidence{}
	for _, e := range reason.All() {
		ev := sluice.Evidence{Reason: sluice.Reason(e.ID), Raw: e.Points}
		switch e.Hard {
		case "stop":
			ev.Hard = sluice.HardStop
		case "pass":
			ev.Hard = sluice.HardPass
		}
		// The generator admits known names only, but for groups such as
		// "delivery" that are never evidence.
		if ev.Group.UnmarshalText([]byte(e.Group)) != nil || ev.Phase.UnmarshalText([]byte(e.Phase)) != nil ||
			ev.Threat.UnmarshalText([]byte(e.Threat)) != nil {
			continue
		}
		out[ev.Reason] = ev
	}
	return out
}()

// Found states id with the points, group, phase, threat and hardness that the
// catalogue gives it. The detail may be hostile text. A reason that isn't in
// the catalogue brings no points; a test keeps that from happening.
func Found(id sluice.Reason, detail string) sluice.Evidence {
	ev, ok := facts[id]
	if !ok {
		ev.Reason = id
	}
	ev.Detail = detail
	return ev
}

// FoundAt is [Found] with the place in the message that shows it.
func FoundAt(id sluice.Reason, detail string, at message.Range, part int) sluice.Evidence {
	ev := Found(id, detail)
	ev.Range = sluice.Range{Off: at.Off, Len: at.Len}
	ev.Part = part
	return ev
}

// Unknown is the evidence of a check that could not tell, and why.
func Unknown(id sluice.Reason, why string) sluice.Evidence {
	ev := Found(id, why)
	ev.State, ev.Raw, ev.Hard = sluice.Unknown, 0, sluice.Soft
	return ev
}

// Public says whether the outside world has a say about an address: nobody
// publishes names or policies for loopback and private networks.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsValid() && a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback()
}
