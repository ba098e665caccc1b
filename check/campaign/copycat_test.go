package campaign_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sluice"
	"sluice/check"
	"sluice/check/campaign"
	"sluice/check/checktest"
	"sluice/inspect"
	"sluice/learn/copycat"
	"sluice/reason"
)

// letter is the garden's mail with a button that leads to a site.
const letter = `<html><body><table width="600"><tr><td><a href="https://www.garden.org/"><img src="https://www.garden.org/logo.png" width="160" height="40" alt="Garden"></a></td></tr>
<tr><td><h1>Your order of spring plants</h1><p>Our spring catalogue is here, with two hundred new plants for balcony and garden. Order before the
end of the month and we send your plants without any charge. Come and see us on one of our open days and walk through the greenhouses.</p></td></tr>
<tr><td><a href="https://%s/start" style="background:#060;color:#fff">See the catalogue</a></td></tr>
<tr><td><p>Garden Society, Long Lane, Leeds. You get this letter since you are a member of the society.</p>
<a href="https://www.garden.org/privacy">Privacy</a> <a href="https://www.garden.org/leave">Unsubscribe</a></td></tr></table></body></html>
`

func (w *world) letter(client, from, site string, at time.Duration) *check.Input {
	in := checktest.Input(checktest.Mail("From: Garden <"+from+">\nSubject: Your order of spring plants\nContent-Type: text/html", fmt.Sprintf(letter, site)))
	in.Conn.Client = netip.AddrPortFrom(netip.MustParseAddr(client), 4711)
	in.Envelope.From = from
	in.Now = checktest.Now.Add(at)
	in.Auth = w.auth.Open(in.Conn).Begin(in.Envelope)
	in.Notes = &check.Notes{}
	return in
}

func TestCopycat(t *testing.T) {
	w := newWorld(t)
	w.cfg.Copycats = copycat.New(copycat.Config{Prints: w.mem, Campaigns: 500})
	run := func(in *check.Input) []sluice.Evidence {
		t.Helper()
		ev := checktest.Run(t, campaign.Checks(w.cfg), in)
		s := w.cfg.Sighting(in.Conn, in.Envelope, in.Auth.Known(), in.Now)
		w.mem.Observe(w.cfg.Print(in.Notes, in.Message), s)
		w.cfg.Remember(in.Notes, in.Message, s)
		return ev
	}
	for i := range 12 {
		in := w.letter("192.0.2.10", "news@garden.org", "www.garden.org", time.Duration(i)*10*time.Minute)
		in.Envelope.Rcpts[0].Address = fmt.Sprintf("reader%d@example.net", i)
		for _, e := range run(in) {
			if e.Reason != reason.CampaignWanted {
				t.Errorf("%d: %+v", i, e)
			}
		}
	}
	// The genuine campaign is wanted, by the same domain, and no copy.
	w.want(run(w.letter("192.0.2.10", "news@garden.org", "www.garden.org", 3*time.Hour)), reason.CampaignWanted, -5, "garden.org has sent it")
	ev := run(w.letter("203.0.113.9", "news@garden-news.com", "x.example", 4*time.Hour))
	w.want(ev, reason.Copycat, 6, `same mail as the one from garden.org of 4 March 2026 ("Your order of spring plants"), but the button "see the catalogue" leads to "x.example"; 100 % of its text`)
	if len(ev) == 1 && (ev[0].Threat != sluice.ThreatCopycat || ev[0].Group != sluice.GroupCampaign) {
		t.Errorf("%+v", ev[0])
	}
	if ev := run(w.letter("203.0.113.9", "news@garden-news.com", "www.garden.org", 4*time.Hour)); len(ev) != 0 {
		t.Errorf("passed on: %+v", ev)
	}
	own := w.letter("203.0.113.9", "news@garden.org", "x.example", 4*time.Hour)
	own.Conn.Auth = "ann"
	if ev := checktest.Run(t, campaign.Checks(w.cfg), own); len(ev) != 0 {
		t.Errorf("of a user of ours: %+v", ev)
	}
	if strings.Contains(fmt.Sprint(checktest.Run(t, campaign.Checks(campaign.Config{Memory: w.mem}), own)), "COPYCAT") {
		t.Error("without a memory")
	}
}

// A logo that the garden's letters enclose is known again on mail of another making.
func TestLogo(t *testing.T) {
	w := newWorld(t)
	w.cfg.Copycats = copycat.New(copycat.Config{Prints: w.mem, Campaigns: 500})
	asked := 0
	w.cfg.Pictures = func(context.Context, *check.Input) []inspect.Image {
		asked++
		return []inspect.Image{{PHash: 0x5a3c96f00fb4d271, Width: 180, Height: 56}}
	}
	const logo = "\n--x\nContent-Type: image/png\nContent-ID: <logo>\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--x--\n"
	enclosed := func(in *check.Input, from, html string) *check.Input {
		in.Message = checktest.Input(checktest.Mail("From: Garden <"+from+">\nSubject: Your order of spring plants\nContent-Type: multipart/related; boundary=x", "--x\nContent-Type: text/html\n\n"+html+logo)).Message
		return in
	}
	for i := range 4 {
		in := enclosed(w.letter("192.0.2.10", "news@garden.org", "www.garden.org", time.Duration(i)*time.Minute), "news@garden.org", fmt.Sprintf(letter, "www.garden.org"))
		in.Envelope.Rcpts[0].Address = fmt.Sprintf("reader%d@example.net", i)
		if ev := checktest.Run(t, campaign.Checks(w.cfg), in); len(ev) != 0 {
			t.Errorf("%d: %+v", i, ev)
		}
		if e := w.cfg.Remember(in.Notes, in.Message, w.cfg.Sighting(in.Conn, in.Envelope, in.Auth.Known(), in.Now)); e == nil || e.Logo == 0 {
			t.Errorf("%d: %+v", i, e)
		}
	}
	const other = `<p><img src="cid:logo" alt="Garden"></p><p>A prize is waiting for one of our members, and this time the lot has fallen on you. Tell us by Friday where we may bring it.</p><p><a href="https://x.example/p" style="background:#060;color:#fff">Claim it</a></p>`
	ev := checktest.Run(t, campaign.Checks(w.cfg), enclosed(w.letter("203.0.113.9", "a@garden-prize.com", "x.example", time.Hour), "a@garden-prize.com", other))
	w.want(ev, reason.CopycatHint, 2.5, `shows the logo that mail from garden.org carries, last on 4 March 2026, but the button "claim it" leads to "x.example"`)
	before := asked
	checktest.Run(t, campaign.Checks(w.cfg), w.letter("203.0.113.9", "a@garden-prize.com", "x.example", time.Hour))
	if before != 5 || asked != before {
		t.Errorf("asked %d times, then %d: messages without pictures have none looked at", before, asked)
	}
}
