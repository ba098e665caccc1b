// Package readers wires what is written into delivered mail for its readers, what is
// taken off again, and the page behind protected links.
package readers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sluice"
	checklookalike "sluice/check/lookalike"
	checkurllist "sluice/check/urllist"
	"sluice/cmd/sluice/build/secret"
	"sluice/config"
	"sluice/console/public/click"
	"sluice/deliver/banner"
	"sluice/deliver/protect"
	"sluice/deliver/rewrite"
	"sluice/explain/ref"
	"sluice/message"
)

// writers write into delivered mail, for its readers.
type writers struct {
	banner  *banner.Writer  // nil: none is wanted
	protect *protect.Writer // nil: links stay as they are
	first   bool            // say so of every first contact

	languages map[string]string // by address and by domain, in lower case
}

func newWriters(cfg *config.Config) (*writers, error) {
	w := &writers{first: cfg.Banner.FirstContact, languages: maps.Clone(cfg.Banner.Languages)}
	if w.languages == nil {
		w.languages = map[string]string{}
	}
	for _, d := range cfg.Domains {
		for _, n := range d.Names {
			if d.Language != "" {
				w.languages[n] = d.Language
			}
		}
	}
	for whose, l := range w.languages {
		if !banner.Speaks(l) {
			return nil, fmt.Errorf("banner: %s: no words in language %q", whose, l)
		}
	}
	if cfg.Banner.On {
		key, err := secret.Site(cfg.Data)
		if err != nil {
			return nil, fmt.Errorf("banner: %w", err)
		}
		if w.banner, err = banner.New(banner.Config{Key: secret.For(key, "banner"), Language: cfg.Banner.Language}); err != nil {
			return nil, err
		}
	}
	if p := cfg.Protect; p.On {
		sealer, err := linkSealer(cfg)
		if err != nil {
			return nil, err
		}
		c := protect.Config{PublicURL: strings.TrimSuffix(cfg.PublicURL, "/"), OldURLs: p.OldURLs, Sealer: sealer, Names: p.Names, Allow: allowed(cfg)}
		if w.protect, err = protect.New(c); err != nil {
			return nil, fmt.Errorf("protect: %w", err)
		}
	}
	return w, nil
}

// linkSealer seals links under keys of its own, made of those of references.
func linkSealer(cfg *config.Config) (*protect.Sealer, error) {
	keys, err := ref.LoadOrCreateKeys(filepath.Join(cfg.Data, "ref.keys"), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("protect: %w", err)
	}
	return protect.NewSealer(keys)
}

// allowed says which hosts' links stay as they are: ours, and those that the admin
// names, with what is below them.
func allowed(cfg *config.Config) func(string) bool {
	list := slices.Clone(cfg.Protect.Allow)
	for _, d := range cfg.Domains {
		list = append(list, d.Names...)
	}
	return func(host string) bool {
		return slices.ContainsFunc(list, func(d string) bool { return host == d || strings.HasSuffix(host, "."+d) })
	}
}

// Annotator makes what is written into delivered mail; nil where the settings want
// nothing written.
func Annotator(cfg *config.Config) (func(*sluice.Conn, *sluice.Envelope, *message.Message, *sluice.Verdict) []rewrite.Change, error) {
	w, err := newWriters(cfg)
	if err != nil || w.banner == nil && w.protect == nil {
		return nil, err
	}
	return w.annotate, nil
}

func (w *writers) annotate(conn *sluice.Conn, env *sluice.Envelope, m *message.Message, v *sluice.Verdict) []rewrite.Change {
	if conn.Auth != "" || env.Outbound || conn.Trusted {
		return w.restore(m)
	}
	var edits []rewrite.TextEdit
	if w.protect != nil { // before words of ours are added
		e, _ := w.protect.Edit(m, env.ID, env.Received)
		edits = append(edits, e)
	}
	if w.banner != nil {
		items := banner.Choose(v, w.first)
		if len(items) > 0 || banner.Present(m) { // a forged one goes
			e, _ := w.banner.Edit(m, items, w.language(env.Addresses()))
			edits = append(edits, e)
		}
	}
	changes, _ := rewrite.EditTexts(m, edits...)
	return changes
}

// language is that of all recipients, "" where they have several: everybody gets the
// same copy of a message, in the site's language then.
func (w *writers) language(recipients []string) (lang string) {
	for i, a := range recipients {
		a = strings.ToLower(a)
		own := w.languages[a]
		if own == "" {
			own = w.languages[a[strings.LastIndexByte(a, '@')+1:]]
		}
		if i > 0 && own != lang {
			return ""
		}
		lang = own
	}
	return lang
}

// restore takes off what we wrote into mail that is answered or passed on.
func (w *writers) restore(m *message.Message) []rewrite.Change {
	var edits []rewrite.TextEdit
	if w.protect != nil {
		e, _ := w.protect.RestoreEdit(m)
		edits = append(edits, e)
	}
	if w.banner != nil {
		e, _ := w.banner.RemoveEdit(m)
		edits = append(edits, e)
	}
	changes, _ := rewrite.EditTexts(m, edits...)
	return changes
}

// Restorer takes off what we wrote into messages that users report; nil where nothing
// is written.
func Restorer(cfg *config.Config) (func(*message.Message) []rewrite.Change, error) {
	w, err := newWriters(cfg)
	if err != nil || w.banner == nil && w.protect == nil {
		return nil, err
	}
	return func(m *message.Message) []rewrite.Change {
		if w.protect != nil { // it reads attached messages too
			return w.protect.Restore(m).Changes
		}
		return w.restore(m)
	}, nil
}

// Known is whom the page behind protected links asks.
type Known struct {
	Lists checkurllist.Config
	Alike checklookalike.Config
	Sent  *Delivered // nil: nobody knows what was reported
}

// Clicks is the page behind protected links; nil where none are written. proxies are
// believed for who the client is.
func Clicks(cfg *config.Config, proxies []netip.Prefix, k Known, log *slog.Logger) (http.Handler, error) {
	if !cfg.Protect.On {
		return nil, nil
	}
	sealer, err := linkSealer(cfg)
	if err != nil {
		return nil, err
	}
	stop := map[sluice.Reason]bool{}
	for _, r := range cfg.Protect.Block {
		stop[sluice.Reason(r)] = true
	}
	asked := func(found []sluice.Evidence, like string) (out []click.Finding, err error) {
		for _, e := range found {
			switch {
			case e.State == sluice.Unknown:
				err = errors.New(e.Detail)
			case e.State == sluice.Found && e.Raw > 0:
				out = append(out, click.Finding{Reason: e.Reason, Like: like, Stop: stop[e.Reason]})
			}
		}
		return out, err
	}
	return click.New(click.Config{
		Open: func(path string) (click.Link, error) {
			l, err := sealer.Open(path)
			switch {
			case errors.Is(err, protect.ErrCut):
				return click.Link{}, click.ErrCut
			case err != nil:
				return click.Link{}, click.ErrInvalid
			}
			return click.Link{URL: l.URL, Ref: l.Ref, Time: l.Time}, nil
		},
		Judges: []click.Judge{
			func(ctx context.Context, t click.Target) ([]click.Finding, error) {
				return asked(checkurllist.InLinks(ctx, k.Lists, []string{t.Address}, "at the click"), "")
			},
			func(_ context.Context, t click.Target) ([]click.Finding, error) {
				like := ""
				if m := k.Alike.Index.Lookup(t.Host, k.Alike.Established); len(m) > 0 {
					like = m[0].Name.Domain
				}
				return asked(checklookalike.InLinks(k.Alike, []string{t.Address}, "at the click"), like)
			},
			k.Sent.judge,
		},
		Wait: 3 * time.Second, Lifetime: cfg.Protect.Lifetime.Duration, Proxies: proxies,
		Record: func(e click.Event) {
			log.Info("click", "id", e.Target.Ref, "host", e.Target.Host, "client", e.Client, "findings", len(e.Findings), "forward", e.Forward)
		},
		Postmaster: cfg.Postmaster, Node: cfg.Hostname, Clock: time.Now, Log: log,
	})
}
