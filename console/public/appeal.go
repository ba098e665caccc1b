package public

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"

	"sluice"
	"sluice/console/internal/web"
)

// maxForm bounds a posted appeal, in octets: [sluice.MaxAppeal] characters of four octets
// each, percent-encoded, and a little.
const maxForm = 16 << 10

// mayAppeal says whether the page offers an appeal: against what was refused for good.
// What has to wait comes again by itself, and a login has no message.
func (s *site) mayAppeal(f *Facts) bool {
	return s.cfg.Appeals != nil && f.Ref != "" && f.Code/100 == 5 && f.Phase != sluice.PhaseAuth
}

// appealed returns the appeal that there is for a refusal, nil for none.
func (s *site) appealed(ctx context.Context, f *Facts) *sluice.Appeal {
	a, err := s.cfg.Appeals.Appeal(ctx, f.Ref)
	if err != nil {
		if !errors.Is(err, sluice.ErrNotFound) {
			s.cfg.Log.Error("public: appeals can't be read", slog.Any("error", err))
		}
		return nil
	}
	return a
}

// appeal takes what a sender says against a refusal. The token is the only proof that is
// asked for: whoever has it has the refusal before him. A GET never comes here.
func (s *site) appeal(w http.ResponseWriter, r *http.Request) {
	f, ok := s.open(w, r)
	if !ok {
		return
	}
	if !s.mayAppeal(&f) {
		s.text(w, r, http.StatusNotFound, "none")
		return
	}
	if s.appealed(r.Context(), &f) != nil {
		s.back(w, r)
		return
	}
	text := normal(r.PostFormValue("text"))
	if n := utf8.RuneCountInString(text); n == 0 || n > sluice.MaxAppeal {
		s.show(w, r, http.StatusBadRequest, &f, "appeal_long")
		return
	}
	asker, now := web.Client(r, s.cfg.Proxies), s.cfg.Clock()
	// Tokens are had for the asking, by being refused: so one address may write a few
	// times, and all together no more than somebody can read.
	if _, ok := s.appeals.Allow(asker, now); !ok {
		s.show(w, r, http.StatusTooManyRequests, &f, "appeal_full")
		return
	}
	if _, ok := s.allAppeals.Allow(netip.Addr{}, now); !ok {
		s.show(w, r, http.StatusTooManyRequests, &f, "appeal_full")
		return
	}
	added, err := s.cfg.Appeals.PutAppeal(r.Context(), &sluice.Appeal{ID: f.Ref, Time: now, Text: text, Asker: asker, Event: f.Time, Client: f.Client,
		Hello: f.Hello, Phase: f.Phase, Threat: f.Threat, Code: f.Code, Reasons: f.Reasons, State: sluice.AppealNew})
	if err != nil {
		s.cfg.Log.Error("public: an appeal is lost", slog.String("ref", f.Ref), slog.Any("error", err))
		s.show(w, r, http.StatusServiceUnavailable, &f, "appeal_broken")
		return
	}
	if added {
		s.cfg.Log.Info("appeal", slog.String("ref", f.Ref), slog.String("asker", asker.String()))
	}
	s.back(w, r)
}

// back leads to the page by a GET, so that reloading it posts nothing.
func (s *site) back(w http.ResponseWriter, r *http.Request) {
	to := "/why/" + r.PathValue("token")
	if lang := r.URL.Query().Get("lang"); lang != "" {
		to += "?lang=" + s.tongue(r).Lang
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// normal is a posted text with line ends of one kind and no space around it. Browsers
// post CRLF, and count it as one character.
func normal(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n"))
}
