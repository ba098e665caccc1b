package console

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"sluice"
	"sluice/console/internal/shape"
	"sluice/console/internal/web"
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
			web.JSONError(w, http.StatusUnauthorized, "send a bearer token, or log in")
		case r.Method != http.MethodGet && r.Method != http.MethodHead && !equal(r.Header.Get("X-CSRF-Token"), v.csrf):
			web.JSONError(w, http.StatusForbidden, "a session needs its token in X-CSRF-Token")
		default:
			h(w, r, v.account)
		}
	})
}

// apiFail answers for a store's error; its words stay in the log.
func (c *Console) apiFail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, sluice.ErrNotFound) {
		web.JSONError(w, http.StatusNotFound, "not found")
		return
	}
	c.cfg.Log.Error("console: api", slog.String("path", r.URL.EscapedPath()), slog.Any("error", err))
	web.JSONError(w, http.StatusInternalServerError, "this can't be answered at the moment; the log says why")
}

func (c *Console) apiMessages(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := parseFind(r.URL.Query())
	if err != nil {
		web.JSONError(w, http.StatusBadRequest, err.Error())
		return
	}
	list, err := c.cfg.Store.Records(r.Context(), q)
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	out := make([]shape.Record, 0, len(list))
	for _, rec := range list {
		out = append(out, shape.OfRecord(rec, false))
	}
	web.JSON(w, http.StatusOK, map[string]any{"messages": out, "next": nextID(list, q, func(r *sluice.Record) string { return r.ID })})
}

func (c *Console) apiMessage(w http.ResponseWriter, r *http.Request, _ string) {
	rec, err := c.cfg.Store.Record(r.Context(), r.PathValue("id"))
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	web.JSON(w, http.StatusOK, shape.OfRecord(rec, true))
}

func (c *Console) apiQuarantine(w http.ResponseWriter, r *http.Request, _ string) {
	q, err := parseFind(r.URL.Query())
	if err != nil {
		web.JSONError(w, http.StatusBadRequest, err.Error())
		return
	}
	list, err := c.cfg.Store.Quarantined(r.Context(), q)
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	out := make([]shape.Quarantined, 0, len(list))
	for _, x := range list {
		out = append(out, shape.OfQuarantined(x, nil, false))
	}
	web.JSON(w, http.StatusOK, map[string]any{"messages": out, "next": nextID(list, q, func(x *sluice.Quarantined) string { return x.ID })})
}

func (c *Console) apiQuarantined(w http.ResponseWriter, r *http.Request, _ string) {
	x, body, err := c.openQuarantined(r.Context(), r.PathValue("id"))
	if err != nil {
		c.apiFail(w, r, err)
		return
	}
	_ = body.Close()
	web.JSON(w, http.StatusOK, shape.OfQuarantined(x, c.recordOf(r.Context(), x.ID), true))
}

func (c *Console) apiAct(w http.ResponseWriter, r *http.Request, by string) {
	id := r.PathValue("id")
	do := c.action(r.PathValue("act"))
	if do == nil {
		web.JSONError(w, http.StatusNotFound, "no such action")
		return
	}
	if err := do(r.Context(), id, by); err != nil {
		c.apiFail(w, r, err)
		return
	}
	c.audit(r, r.PathValue("act"), id, by)
	web.JSON(w, http.StatusOK, map[string]string{"id": id, "done": r.PathValue("act")})
}
