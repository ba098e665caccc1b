package correspondent

import (
	"cmp"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/shared"
	"sluice/learn/correspondent"
	"sluice/message"
	"sluice/message/header"
)

// letter is what this test needs of a message.
type letter struct {
	file string
	at   time.Time
	from correspondent.Mailbox
	to   []string
	m    *message.Message
}

// xName finds a person in Enron's X-From fields: "Davis, Pete </O=ENRON…>".
var xName = regexp.MustCompile(`^"?([^"<@/]+)"?\s*(<.*)?$`)

const tenant = "example"

func letters(t *testing.T, corpus string, owner string) (out []letter) {
	t.Helper()
	dir := shared.Dir(t, "corpora", corpus, "ham")
	files, err := filepath.Glob(filepath.Join(dir, "*.eml"))
	if err != nil || len(files) == 0 {
		t.Skipf("no mail in %s: %v", dir, err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := message.Parse(raw, message.DefaultLimits())
		a, clear := m.From()
		at, err := mail.ParseDate(m.Header().Get("Date"))
		if !clear || err != nil {
			continue
		}
		l := letter{file: f, at: at, from: correspondent.Mailbox{Name: a.Name, Address: a.String()}, to: []string{owner}, m: m}
		if x := m.Header().Get("X-From"); x != "" {
			l.from.Name, l.to = "", nil
			if g := xName.FindStringSubmatch(x); g != nil {
				l.from.Name = strings.TrimSpace(g[1])
			}
			for _, field := range []string{"To", "Cc"} {
				for _, a := range m.Addresses(field) {
					if a.Domain == "enron.com" && len(l.to) < 20 {
						l.to = append(l.to, a.String())
					}
				}
			}
		}
		out = append(out, l)
	}
	slices.SortStableFunc(out, func(a, b letter) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.file, b.file))
	})
	return out
}

// TestRealMail replays real wanted mail in the order of its dates, in the case in
// which the most names are known: every recipient answers every author at once. How
// often is an honest author taken for one who uses another's name?
func TestRealMail(t *testing.T) {
	for _, c := range []struct {
		corpus, owner string
		most          float64 // share of mail from outside
	}{
		{"enron_raw", "", 0.01},
		{"foff_milter", "owner@owner.example", 0.03}, // one owner whose own name was replaced by "John Doe" everywhere
		{"spamassassin", "owner@owner.example", 0.03},
		{"lists_2019_2026", "owner@owner.example", 0.03},
	} {
		t.Run(c.corpus, func(t *testing.T) {
			w := newWorld(t)
			n, first, named := 0, 0, 0
			people := map[string]bool{}
			for _, l := range letters(t, c.corpus, c.owner) {
				inside := strings.HasSuffix(l.from.Address, "@enron.com")
				if !inside && len(l.to) > 0 {
					n++
					if correspondent.FoldName(l.from.Name) != "" {
						people[l.from.Address] = true
					}
					// The name may stand in another field than From, so the memory is
					// asked as the check asks it.
					known, same := false, false
					for _, a := range l.to {
						known = known || w.table.Known(l.at, tenant, a, l.from.Address).Level != correspondent.Unknown
						same = same || w.table.Named(l.at, tenant, a, l.from) != correspondent.Nobody
					}
					if !known {
						first++
					}
					if !known && same {
						if named++; named <= 12 {
							t.Logf("%s: %q <%s>", filepath.Base(l.file), header.Clip(l.from.Name), l.from.Address)
						}
					}
				}
				if inside { // a colleague, to whoever
					w.table.Sent(l.at, correspondent.Outgoing{Tenant: tenant, From: l.from})
				}
				for _, a := range l.to {
					w.table.Sent(l.at, correspondent.Outgoing{Tenant: tenant, From: correspondent.Mailbox{Address: a}, To: []correspondent.Mailbox{l.from}})
				}
			}
			share := float64(named) / float64(max(n, 1))
			t.Logf("%s: %d messages from outside, %d people, %d first contacts; %d with the name of another: %.2f %%", c.corpus, n, len(people), first, named, 100*share)
			if share > c.most {
				t.Errorf("%.2f %% of honest mail, at most %.2f %%", 100*share, 100*c.most)
			}
		})
	}
}
