package console

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"sluice"
	"sluice/reason"
)

// bearer returns the name that a request's bearer token stands for, "" for
// none. Tokens are looked up by their hash, so time tells nothing of them.
func (c *Console) bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return c.tokens[sha256.Sum256([]byte(strings.TrimSpace(token)))]
}

// apiUser wraps resources that need a token or a session.
func (c *Console) apiUser(h func(http.ResponseWriter, *http.Request, string)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name := c.bearer(r); name != "" {
			h(w, r, name)
			return
		}
		v, ok := c.session(r, false)
		switch {
		case !ok:
			w.Header().Set("WWW-Authenticate", `Bearer realm="sluice"`)
			apiError(w, http.StatusUnauthorized, "send a bearer token, or log in")
		case r.Method != http.MethodGet && r.Method != http.MethodHead && !equal(r.Header.Get("X-CSRF-Token"), v.csrf):
			apiError(w, http.StatusForbidden, "a session needs its token in X-CSRF-Token")
		default:
			h(w, r, v.account)
		}
	})
}

func apiWrite(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client is gone
}

func apiError(w http.ResponseWriter, status int, text string) {
	apiWrite(w, status, map[string]string{"error": text})
}

// apiFail answers for a store's error; its words stay in the log.
func (c *Console) apiFail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, sluice.ErrNotFound) {
		apiError(w, http.StatusNotFound, "not found")
		return
	}
	c.cfg.Log.Error("console: api", slog.String("path", r.URL.EscapedPath()), slog.Any("error", err))
	apiError(w, http.StatusInternalServerError, "this can't be answered at the moment; the log says why")
}

// The API's shapes. Verdict and evidence are those of sluice scan --json.
type (
	apiVerdict struct {
		Threat      sluice.Threat `json:"threat"`
		Probability float64       `json:"probability"`
		Points      float64       `json:"points"`
		Action      sluice.Action `json:"action"`
		Hard        string        `json:"hard,omitzero"`
	}
	apiEvidence struct {
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
	apiDecision struct {
		Recipient string        `json:"recipient"`
		Action    sluice.Action `json:"action"`
		Why       string        `json:"why,omitzero"`
	}
	apiOutcome struct {
		Recipient string `json:"recipient"`
		Reply     string `json:"reply"`
		Error     string `json:"error,omitzero"`
		Unknown   bool   `json:"unknown,omitzero"`
	}
	apiRecord struct {
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
		Verdict   apiVerdict      `json:"verdict"`
		Evidence  []apiEvidence   `json:"evidence,omitzero"`
		Decisions []apiDecision   `json:"decisions,omitzero"`
		Outcomes  []apiOutcome    `json:"outcomes,omitzero"`
		Reply     string          `json:"reply,omitzero"`
		TimeUS    int64           `json:"time_us,omitzero"`
		Versions  sluice.Versions `json:"versions,omitzero"`
	}
	apiQuarantined struct {
		ID       string        `json:"id"`
		Tenant   string        `json:"tenant,omitzero"`
		Stored   time.Time     `json:"stored"`
		Expires  time.Time     `json:"expires,omitzero"`
		Released time.Time     `json:"released,omitzero"`
		From     string        `json:"from"`
		To       []string      `json:"to"`
		Subject  string        `json:"subject"`
		Size     int64         `json:"size"`
		Verdict  apiVerdict    `json:"verdict"`
		Evidence []apiEvidence `json:"evidence,omitzero"`
	}
)

func (c *Console) apiMessages(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		apiError(w, http.StatusBadRequest, err.Error())
		return
	}
	list, err := c.cfg.Store.Records(r.Context(), q)
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	out := make([]apiRecord, 0, len(list))
	for _, rec := range list {
		out = append(out, toAPI(rec, false))
	}
	apiWrite(w, http.StatusOK, map[string]any{"messages": out, "next": nextID(list, q, func(r *sluice.Record) string { return r.ID })})
}

func (c *Console) apiMessage(w http.ResponseWriter, r *http.Request, _ string) {
	rec, err := c.cfg.Store.Record(r.Context(), r.PathValue("id"))
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	apiWrite(w, http.StatusOK, toAPI(rec, true))
}

func (c *Console) apiQuarantine(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := parseQuery(r.URL.Query())
	if err != nil {
		apiError(w, http.StatusBadRequest, err.Error())
		return
	}
	list, err := c.cfg.Store.Quarantined(r.Context(), q)
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	out := make([]apiQuarantined, 0, len(list))
	for _, x := range list {
		out = append(out, quarantinedToAPI(x, false))
	}
	apiWrite(w, http.StatusOK, map[string]any{"messages": out, "next": nextID(list, q, func(x *sluice.Quarantined) string { return x.ID })})
}

func (c *Console) apiQuarantined(w http.ResponseWriter, r *http.Request, _ string) {
	x, body, err := c.openQuarantined(r.Context(), r.PathValue("id"))
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	_ = body.Close()
	apiWrite(w, http.StatusOK, quarantinedToAPI(x, true))
}

func (c *Console) apiAct(w http.ResponseWriter, r *http.Request, by string) {
	id := r.PathValue("id")
	do := c.action(r.PathValue("act"))
	if do == nil {
		apiError(w, http.StatusNotFound, "no such action")
		return
	}
	if err := do(r.Context(), id, by); err != nil {
		c.apiFail(w, r, err)
		return
	}
	c.audit(r, r.PathValue("act"), id, by)
	apiWrite(w, http.StatusOK, map[string]string{"id": id, "done": r.PathValue("act")})
}

func toAPI(r *sluice.Record, full bool) apiRecord {
	a := apiRecord{ID: r.ID, Tenant: r.Tenant, Time: r.Time, Session: r.Conn.ID, HELO: r.Conn.Hello.Name,
		From: r.Envelope.From, To: r.Recipients(), Subject: r.Subject, MessageID: r.MessageID, Size: r.Size,
		Phase: r.Phase, Verdict: verdictToAPI(&r.Verdict, r.Action())}
	if r.Conn.Client.IsValid() {
		a.Client = r.Conn.Client.String()
	}
	if !full {
		return a
	}
	if r.Conn.TLS != nil {
		a.TLS = r.Conn.TLS.Version + " " + r.Conn.TLS.Cipher
	}
	a.Evidence, a.TimeUS, a.Versions = evidenceToAPI(&r.Verdict), r.Micros, r.Verdict.Versions
	for _, d := range r.Decisions {
		a.Decisions = append(a.Decisions, apiDecision{d.Recipient, d.Action, string(d.Why)})
	}
	for _, o := range r.Outcomes {
		x := apiOutcome{Recipient: o.Recipient, Reply: o.Reply.String(), Unknown: o.Unknown}
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

func quarantinedToAPI(x *sluice.Quarantined, full bool) apiQuarantined {
	a := apiQuarantined{ID: x.ID, Tenant: x.Tenant, Stored: x.Stored, Expires: x.Expires, Released: x.Released,
		From: x.Envelope.From, To: x.Envelope.Addresses(), Subject: x.Subject, Size: x.Size,
		Verdict: verdictToAPI(&x.Verdict, sluice.QuarantineIt)}
	if full {
		a.Evidence = evidenceToAPI(&x.Verdict)
	}
	return a
}

func verdictToAPI(v *sluice.Verdict, a sluice.Action) apiVerdict {
	return apiVerdict{v.Threat, v.Probability, v.Points, a, string(v.Hard)}
}

func evidenceToAPI(v *sluice.Verdict) []apiEvidence {
	out := make([]apiEvidence, 0, len(v.Ledger))
	for _, l := range v.Ledger {
		e := apiEvidence{ID: string(l.Reason), Group: l.Group, Phase: l.Phase, State: l.State, Hard: hardNames[l.Hard],
			Points: l.Points, Raw: l.Raw, Detail: l.Detail}
		if entry, ok := reason.Lookup(string(l.Reason)); ok {
			e.Reason = entry.Admin
		}
		out = append(out, e)
	}
	return out
}

var hardNames = map[sluice.Hard]string{sluice.HardStop: "stop", sluice.HardPass: "pass"}
