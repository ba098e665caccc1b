// Package shape is how the console's API writes records of the log and quarantined
// messages as JSON.
package shape

import (
	"time"

	"sluice"
	"sluice/reason"
)

// The shapes. Verdict and evidence are those of sluice scan --json.
type (
	Verdict struct {
		Threat      sluice.Threat `json:"threat"`
		Probability float64       `json:"probability"`
		Points      float64       `json:"points"`
		Action      sluice.Action `json:"action"`
		Hard        string        `json:"hard,omitzero"`
		// Threats are shares: what it is, should it be unwanted.
		Threats sluice.Threats `json:"threats,omitzero"`
	}
	Evidence struct {
		ID     string       `json:"id"`
		Group  sluice.Group `json:"group"`
		Phase  sluice.Phase `json:"phase"`
		State  sluice.State `json:"state"`
		Hard   string       `json:"hard,omitzero"`
		Points float64      `json:"points"`
		Raw    float64      `json:"raw"`
		Reason string       `json:"reason,omitzero"`
		Detail string       `json:"detail,omitzero"`
	}
	Decision struct {
		Recipient string        `json:"recipient"`
		Action    sluice.Action `json:"action"`
		Why       string        `json:"why,omitzero"`
	}
	Outcome struct {
		Recipient string `json:"recipient"`
		Reply     string `json:"reply"`
		Error     string `json:"error,omitzero"`
		Unknown   bool   `json:"unknown,omitzero"`
	}
	Record struct {
		ID        string          `json:"id"`
		Tenant    string          `json:"tenant,omitzero"`
		Time      time.Time       `json:"time"`
		Session   string          `json:"session,omitzero"`
		Client    string          `json:"client,omitzero"`
		HELO      string          `json:"helo,omitzero"`
		TLS       string          `json:"tls,omitzero"`
		From      string          `json:"from"`
		To        []string        `json:"to"`
		Subject   string          `json:"subject"`
		MessageID string          `json:"message_id,omitzero"`
		Size      int64           `json:"size"`
		Phase     sluice.Phase    `json:"phase"`
		Verdict   Verdict         `json:"verdict"`
		Evidence  []Evidence      `json:"evidence,omitzero"`
		Decisions []Decision      `json:"decisions,omitzero"`
		Outcomes  []Outcome       `json:"outcomes,omitzero"`
		Reply     string          `json:"reply,omitzero"`
		TimeUS    int64           `json:"time_us,omitzero"`
		Versions  sluice.Versions `json:"versions,omitzero"`

		Files     []sluice.FileSeen `json:"files,omitzero"`
		FilesLeft int               `json:"files_left,omitzero"`
	}
	Quarantined struct {
		ID       string     `json:"id"`
		Tenant   string     `json:"tenant,omitzero"`
		Stored   time.Time  `json:"stored"`
		Expires  time.Time  `json:"expires,omitzero"`
		Released time.Time  `json:"released,omitzero"`
		From     string     `json:"from"`
		To       []string   `json:"to"`
		Subject  string     `json:"subject"`
		Size     int64      `json:"size"`
		Verdict  Verdict    `json:"verdict"`
		Evidence []Evidence `json:"evidence,omitzero"`

		Files     []sluice.FileSeen `json:"files,omitzero"`
		FilesLeft int               `json:"files_left,omitzero"`
	}
)

// OfRecord is a record of the log; full adds the evidence and what became of it.
func OfRecord(r *sluice.Record, full bool) Record {
	a := Record{ID: r.ID, Tenant: r.Tenant, Time: r.Time, Session: r.Conn.ID, HELO: r.Conn.Hello.Name,
		From: r.Envelope.From, To: r.Recipients(), Subject: r.Subject, MessageID: r.MessageID, Size: r.Size,
		Phase: r.Phase, Verdict: verdict(&r.Verdict, r.Action())}
	if r.Conn.Client.IsValid() {
		a.Client = r.Conn.Client.String()
	}
	if !full {
		return a
	}
	if r.Conn.TLS != nil {
		a.TLS = r.Conn.TLS.Version + " " + r.Conn.TLS.Cipher
	}
	a.Evidence, a.TimeUS, a.Versions = evidence(&r.Verdict), r.Micros, r.Verdict.Versions
	a.Files, a.FilesLeft = r.Files, r.FilesLeft
	for _, d := range r.Decisions {
		a.Decisions = append(a.Decisions, Decision{d.Recipient, d.Action, string(d.Why)})
	}
	for _, o := range r.Outcomes {
		x := Outcome{Recipient: o.Recipient, Reply: o.Reply.String(), Unknown: o.Unknown}
		if o.Err != nil {
			x.Error = o.Err.Error()
		}
		a.Outcomes = append(a.Outcomes, x)
	}
	if r.Reply.Code != 0 {
		a.Reply = r.Reply.String()
	}
	return a
}

// OfQuarantined is a quarantined message; full adds the evidence and, where the log still
// has its record, the files.
func OfQuarantined(x *sluice.Quarantined, r *sluice.Record, full bool) Quarantined {
	a := Quarantined{ID: x.ID, Tenant: x.Tenant, Stored: x.Stored, Expires: x.Expires, Released: x.Released,
		From: x.Envelope.From, To: x.Envelope.Addresses(), Subject: x.Subject, Size: x.Size,
		Verdict: verdict(&x.Verdict, sluice.QuarantineIt)}
	if full {
		a.Evidence = evidence(&x.Verdict)
		if r != nil {
			a.Files, a.FilesLeft = r.Files, r.FilesLeft
		}
	}
	return a
}

func verdict(v *sluice.Verdict, a sluice.Action) Verdict {
	return Verdict{v.Threat, v.Probability, v.Points, a, string(v.Hard), v.Threats}
}

func evidence(v *sluice.Verdict) []Evidence {
	out := make([]Evidence, 0, len(v.Ledger))
	for _, l := range v.Ledger {
		e := Evidence{ID: string(l.Reason), Group: l.Group, Phase: l.Phase, State: l.State, Hard: hardNames[l.Hard],
			Points: l.Points, Raw: l.Raw, Detail: l.Detail}
		if entry, ok := reason.Lookup(string(l.Reason)); ok {
			e.Reason = entry.Admin
		}
		out = append(out, e)
	}
	return out
}

var hardNames = map[sluice.Hard]string{sluice.HardStop: "stop", sluice.HardPass: "pass"}
