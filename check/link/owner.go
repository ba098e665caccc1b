package link

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"sluice"
	"sluice/check"
	"sluice/internal/domains"
	"sluice/internal/literal"
	"sluice/learn/brand"
	"sluice/learn/service"
	"sluice/message/header"
	"sluice/message/links"
	"sluice/reason"
)

// newOwner looks at whose links a message holds. A sender's mail leads to the
// sender, or to several places. Mail whose links all lead to one stranger is
// there for that link.
func newOwner() check.Checker {
	return check.Look(check.Info{
		Name: "link/owner", Phase: sluice.PhaseMessage, Group: sluice.GroupLink, Cost: check.Remote,
		Reasons: []sluice.Reason{reason.LinkOneStranger, reason.LinkNoneOwn, reason.LinkSingleOwner, reason.LinkManyOwners, reason.LinkSocial},
	}, func(ctx context.Context, in *check.Input) []sluice.Evidence {
		s := check.SenderOf(ctx, in)
		if onList(in.Message.Header()) || s.Traffic == check.List || s.Org == "" {
			return nil
		}
		o := ownersOf(in, s)
		if len(o.places) == 0 || o.first == nil {
			return nil
		}
		// Without anybody to ask, a service that carries the message isn't seen.
		if in.Auth == nil || !s.Mass() || !s.Modern {
			return o.stranger(s)
		}
		return o.coherence(s)
	})
}

// owners is whose links and pictures a message holds.
type owners struct {
	first   *links.Link // anchor
	places  []string    // organizations of anchors, each once
	all     []string    // of anchors and pictures
	anchors int
	own     bool // a link leads to who is proved to send
	social  int  // networks that are linked to or shown as linked to
}

// maxPlaces bounds how many organizations are told apart.
const maxPlaces = 20

func ownersOf(in *check.Input, s *check.Sender) owners {
	var o owners
	v, orgs, home := in.Message.View(), check.OrgsOf(in), homeOf(s)
	shown := map[string]bool{}             // networks
	anchors := make(map[string]string, 16) // hosts, and whose networks they are
	pictures := map[string]bool{}          // hosts
	var text []byte
	for i := range v.Links {
		l := &v.Links[i]
		picture := l.Source == links.FromImage
		if !picture && l.Source != links.FromAnchor || !web(l) || l.Host == "" {
			continue
		}
		at, met := anchors[l.Host]
		if picture {
			if !met && !pictures[l.Host] {
				pictures[l.Host] = true
				o.all = with(o.all, service.OrgOf(l.Host, orgs.Of(l.Host)))
			}
			continue
		}
		if o.first == nil {
			o.first = l
		}
		if o.anchors++; o.anchors > maxLinks {
			break
		}
		if !met {
			org := orgs.Of(l.Host)
			place := service.OrgOf(l.Host, org)
			o.all, o.places = with(o.all, place), with(o.places, place)
			o.own = o.own || home.has(l.Host, org)
			at = networkAt[org]
			anchors[l.Host] = at
		}
		if at == "" && len(l.Text) <= maxNetworkText {
			text = literal.AppendLower(text[:0], l.Text)
			at = named(text)
		}
		if at != "" {
			shown[at] = true
		}
	}
	o.social = len(shown)
	return o
}

// with adds a place to those that are told apart, once.
func with(list []string, place string) []string {
	if len(list) < maxPlaces && !slices.Contains(list, place) {
		return append(list, place)
	}
	return list
}

// home is where a sender's own links lead: to the author, to who signed, or to a
// service that carries the message.
type home struct {
	*check.Sender
	brands []*brand.Brand // of the author's
}

func homeOf(s *check.Sender) home { return home{s, brand.Shipped().Of(s.Author.Domain)} }

func (h home) has(host, at string) bool {
	if kin(at, h.Org) || slices.ContainsFunc(h.Signers, func(d string) bool { return kin(at, d) || d != h.Org && sameLabel(at, d) }) {
		return true
	}
	if len(h.Carriers) > 0 {
		if c := service.Of(host); c != nil && slices.Contains(h.Carriers, c) && c.Kind.Sends() {
			return true
		}
	}
	return slices.ContainsFunc(h.brands, func(b *brand.Brand) bool { return b.Owns(host) })
}

// minKin is the shortest label by which two domains are taken for one owner's.
const minKin = 4

// kin says whether two organizations are one, as far as names tell: services number
// their domains (link001, link002).
func kin(a, b string) bool {
	_, tldA, _ := strings.Cut(a, ".")
	_, tldB, _ := strings.Cut(b, ".")
	return a != "" && (a == b || tldA == tldB && sameLabel(a, b))
}

// sameLabel says whether two domains are registered under one label but for numbers.
// It holds for who signs for others, whose domains of many top-level domains are one;
// for an author's name anybody can have another.
func sameLabel(a, b string) bool {
	a, _, _ = strings.Cut(a, ".")
	b, _, _ = strings.Cut(b, ".")
	a, b = strings.Trim(a, "0123456789"), strings.Trim(b, "0123456789")
	return len(a) >= minKin && a == b
}

// stranger: all links lead to one place that isn't the author's.
func (o *owners) stranger(s *check.Sender) []sluice.Evidence {
	if len(o.places) != 1 || o.own || s.Free { // people send each other links
		return nil
	}
	if domains.Rewriter(o.first.Host) || domains.Counter(o.first.Host) {
		return nil
	}
	return []sluice.Evidence{state(reason.LinkOneStranger, o.first, "all links lead to "+check.Quote(org(o.first.Host))+", from "+check.Quote(s.Org)+" ("+strconv.Itoa(o.anchors)+" links)")}
}

// manyOwners is how many organizations only a mail with a foot and partners links to.
const manyOwners = 5

// coherence compares the links with who sends; for bulk mail and notices.
func (o *owners) coherence(s *check.Sender) []sluice.Evidence {
	var out []sluice.Evidence
	carrier := s.Carrier()
	switch {
	case o.own || domains.Rewriter(o.first.Host):
	default:
		out = append(out, state(reason.LinkNoneOwn, o.first, check.Quote(strings.Join(o.places, " "))+", from "+check.Quote(s.Org)))
	}
	if len(o.all) == 1 && carrier == nil && !known(o.first.Host) {
		out = append(out, state(reason.LinkSingleOwner, o.first, check.Quote(o.all[0])+": "+strconv.Itoa(o.anchors)+" links"))
	}
	if !s.Aligned || s.Free {
		return out
	}
	if o.social >= 2 {
		out = append(out, state(reason.LinkSocial, o.first, strconv.Itoa(o.social)+" networks"))
	}
	if len(o.places) >= manyOwners {
		out = append(out, state(reason.LinkManyOwners, o.first, strconv.Itoa(len(o.places))+" owners"))
	}
	return out
}

// known says whether a place is one that many know: a brand's, or a service's whose
// customers don't get hosts of their own.
func known(host string) bool {
	if c := service.Of(host); c != nil {
		return c.Kind.Sends()
	}
	return len(brand.Shipped().Of(host)) > 0
}

// networks are social networks by their domains, and by the words that stand for them
// where a service counts the clicks.
var networks = []struct{ name, domain, word string }{
	{"facebook", "facebook.com", "facebook"}, {"facebook", "fb.com", ""}, {"instagram", "instagram.com", "instagram"}, {"x", "twitter.com", "twitter"}, {"x", "x.com", ""},
	{"linkedin", "linkedin.com", "linkedin"}, {"youtube", "youtube.com", "youtube"}, {"youtube", "youtu.be", ""}, {"tiktok", "tiktok.com", "tiktok"},
	{"pinterest", "pinterest.com", "pinterest"}, {"threads", "threads.net", ""}, {"bluesky", "bsky.app", "bluesky"}, {"mastodon", "mastodon.social", "mastodon"},
	{"snapchat", "snapchat.com", "snapchat"}, {"whatsapp", "whatsapp.com", ""}, {"xing", "xing.com", "xing"}, {"vk", "vk.com", ""}, {"weibo", "weibo.com", ""},
}

// networkAt names the networks by domain.
var networkAt = func() map[string]string {
	at := map[string]string{}
	for _, n := range networks {
		at[n.domain] = n.name
	}
	return at
}()

var networkWords = func() *literal.Matcher {
	var words []string
	for _, n := range networks {
		words = append(words, n.word)
	}
	return literal.New(words)
}()

// maxNetworkText is the longest text of a link that names where it leads.
const maxNetworkText = 60

// named is the first network of the table whose word a text has, in lower case; "" for
// none.
func named(text []byte) string {
	first := len(networks)
	networkWords.Scan(text, func(n, _, _ int) bool {
		first = min(first, n)
		return true
	})
	if first == len(networks) {
		return ""
	}
	return networks[first].name
}

// onList says whether list software has had the message: it leaves other
// people's links in.
func onList(h *header.Header) bool {
	for _, name := range [...]string{"List-Post", "X-Mailing-List", "X-BeenThere"} {
		if h.Field(name) != nil {
			return true
		}
	}
	return false
}
