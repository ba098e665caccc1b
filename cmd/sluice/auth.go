package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"sluice"
	"sluice/cmd/sluice/build"
	"sluice/cmd/sluice/term"
	"sluice/config"
	"sluice/dns"
	"sluice/dns/dnstest"
	"sluice/mailauth"
	"sluice/mailauth/author"
	"sluice/mailauth/bimi"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/mailauth/iprev"
	"sluice/mailauth/spf"
	"sluice/message"
	"sluice/scan"
)

type authCmd struct {
	File   string    `arg:"" optional:"" help:"A stored message; - for standard input." placeholder:"FILE"`
	Domain string    `help:"Look at what a domain publishes instead." placeholder:"DOMAIN"`
	IP     string    `help:"Client address; default: from the topmost Received." placeholder:"ADDRESS"`
	Helo   string    `help:"HELO name." placeholder:"NAME"`
	From   *string   `help:"Envelope sender; <> for none." placeholder:"ADDRESS"`
	Zone   string    `name:"dns-zone" help:"Answer DNS from this zone file or JSON only." type:"path" placeholder:"FILE"`
	Now    time.Time `help:"Judge as if it were this time (RFC 3339)." format:"2006-01-02T15:04:05Z07:00"`
	Config string    `help:"Settings file (TOML)." type:"path" placeholder:"FILE"`
	JSON   bool      `help:"As JSON."`
}

// node is one line of the reasoning and what lies under it. It is the JSON form
// too.
type node struct {
	What   string  `json:"what"`
	Result string  `json:"result,omitempty"`
	Detail string  `json:"detail,omitempty"`
	Nodes  []*node `json:"nodes,omitempty"`
}

func (n *node) add(what, result, detail string) *node {
	c := &node{What: what, Result: result, Detail: detail}
	n.Nodes = append(n.Nodes, c)
	return c
}

// Run prints the whole reasoning about who a message, or a domain, is.
func (c *authCmd) Run(a *app) error {
	if (c.File == "") == (c.Domain == "") {
		return fmt.Errorf("auth: name a FILE, or a domain with --domain")
	}
	cfg, err := config.Load(c.Config, config.Flags{})
	if err != nil {
		return err
	}
	r, err := c.resolver(cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	trace := dns.NewTrace(r, 0)
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	var root *node
	if c.Domain != "" {
		root = c.domain(a, trace)
	} else if root, err = c.message(a, cfg, trace); err != nil {
		return err
	}
	asked, more := trace.Asked()
	questions := root.add("dns", fmt.Sprintf("%d questions", len(asked)+more), "")
	for _, q := range asked {
		questions.add(q.Name+" "+q.Type, q.Outcome, q.Error)
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(root)
	}
	writeTree(a.stdout, term.PaintFor(a.stdout), root, "", "")
	return nil
}

func (c *authCmd) resolver(cfg *config.Config) (*build.Resolver, error) {
	if c.Zone != "" {
		z, err := dnstest.Load(c.Zone)
		return &build.Resolver{Resolver: z}, err
	}
	r := build.NewResolver(cfg)
	if r.Resolver == nil {
		return nil, fmt.Errorf("auth: dns.servers is none in the configuration; give a --dns-zone")
	}
	return r, nil
}

// message runs every method over one stored message.
func (c *authCmd) message(a *app, cfg *config.Config, r dns.Resolver) (*node, error) {
	var mail *scan.Mail
	for it := range scan.Sources(scan.Config{Paths: []string{c.File}, Stdin: a.stdin}) {
		m, err := it.Open()
		if err != nil {
			return nil, fmt.Errorf("auth: %w", err)
		}
		mail = m
		break
	}
	if mail == nil {
		return nil, fmt.Errorf("auth: %s holds no message", c.File)
	}
	m := message.Parse(mail.Raw, message.DefaultLimits())
	o := scan.Stored(mail, m)
	conn, env := &sluice.Conn{Hello: sluice.Hello{Verb: "EHLO", Name: first(c.Helo, o.Hello)}, Start: c.Now, Stored: true}, &sluice.Envelope{From: o.From}
	if c.From != nil {
		env.From = trimBrackets(*c.From)
	}
	if c.IP != "" {
		ip, err := netip.ParseAddr(c.IP)
		if err != nil {
			return nil, fmt.Errorf("--ip %q: want an address such as 192.0.2.1 or 2001:db8::1", c.IP)
		}
		o.Client = ip
	}
	if o.Client.IsValid() {
		conn.Client = netip.AddrPortFrom(o.Client, 0)
	}
	auth := mailauth.New(mailauth.Config{Resolver: r, Hostname: cfg.Hostname, Sealers: cfg.ARCSealers}).Open(conn).Begin(env)
	root := &node{What: c.File}
	authorNode(root, auth.Author(m))
	if auth.Live() {
		iprevNode(root, auth.Reverse(a.ctx))
		if conn.Hello.Name != "" {
			spfNode(root, "spf helo", auth.HELO(a.ctx, c.Now))
		}
		spfNode(root, "spf mailfrom", auth.SPF(a.ctx, c.Now))
	} else {
		root.add("spf", "none", "no client address is known; give one with --ip")
	}
	dkimNode(root, auth.DKIM(a.ctx, m, c.Now))
	chain := auth.ARC(a.ctx, m)
	n := root.add("arc", string(chain.Status), chain.Problem)
	for _, s := range chain.Sets {
		n.add(fmt.Sprintf("i=%d by %s", s.Instance, s.Sealer), string(s.Seal), strings.TrimSpace(s.Problem+" "+s.Results))
	}
	dmarcNode(root, auth.DMARC(a.ctx, m, c.Now))
	return root, nil
}

// domain looks at what a domain publishes.
func (c *authCmd) domain(a *app, r dns.Resolver) *node {
	root := &node{What: c.Domain}
	auth := mailauth.New(mailauth.Config{Resolver: r}).Open(&sluice.Conn{Client: netip.AddrPortFrom(netip.IPv4Unspecified(), 0)}).
		Begin(&sluice.Envelope{From: "postmaster@" + c.Domain})
	mx := auth.Sender(a.ctx)
	root.add("mail", mx.Answer.String(), strings.Join(mx.Hosts, ", ")+mx.Problem)
	// An address that nobody lists walks through the whole policy.
	spfNode(root, "spf policy, as it meets a stranger", auth.SPF(a.ctx, c.Now))
	d := dmarc.Evaluate(a.ctx, r, dmarc.Input{From: author.Of(message.Parse([]byte("From: x@"+c.Domain+"\r\n\r\n"), message.DefaultLimits()))})
	dmarcNode(root, d)
	b := bimi.Lookup(a.ctx, r, c.Domain, d.Org, "")
	root.add("bimi", string(b.Value), strings.TrimSpace(b.Why+" "+b.Record.Logo))
	return root
}

func authorNode(root *node, a author.Author) {
	result := "clear"
	if !a.Clear {
		result = "unclear"
	}
	n := root.add("author", result, a.Address+nameOf(a.Display))
	for _, p := range a.Problems {
		mark := ""
		if p.Grave {
			mark = "grave"
		}
		n.add(string(p.Code), mark, p.Detail)
	}
}

func nameOf(display string) string {
	if display == "" {
		return ""
	}
	return ", named " + display
}

func iprevNode(root *node, r iprev.Result) {
	n := root.add("iprev "+r.IP.String(), string(r.Result), strings.TrimSpace(r.Name+" "+r.Problem))
	for _, s := range r.Trace {
		n.add(s.Query, s.Outcome, s.Answer)
	}
}

// spfNode shows a policy as the tree of its includes.
func spfNode(root *node, what string, r spf.Result) {
	top := root.add(what, string(r.Result), fmt.Sprintf("%s; %d lookups, %d of them void", r, r.Lookups, r.Voids))
	at := []*node{top}
	for _, s := range r.Trace {
		depth := min(s.Depth, len(at)-1)
		what := s.Term
		if what == "" {
			what = s.Domain
		}
		n := at[depth].add(what, s.Outcome, strings.TrimSpace(s.Query+" "+s.Answer))
		at = append(at[:depth+1], n)
	}
}

func dkimNode(root *node, list []dkim.Result) {
	if len(list) == 0 {
		root.add("dkim", "none", "no signature")
	}
	for i := range list {
		r := &list[i]
		n := root.add(fmt.Sprintf("dkim d=%s s=%s", r.Domain, r.Selector), string(r.Status), r.Problem)
		n.add("key", r.KeyName, fmt.Sprintf("%s, %d bits", r.KeyType, r.KeyBits))
		n.add("signature", r.Algorithm+" "+r.Canon, "signs "+strings.Join(r.Signed, " "))
		if len(r.Unsigned) > 0 {
			n.add("not signed", strings.Join(r.Unsigned, " "), "")
		}
		for _, m := range r.Replay {
			n.add("easy to replay", "", m)
		}
	}
}

func dmarcNode(root *node, r dmarc.Result) {
	n := root.add("dmarc "+r.Domain, string(r.Value), r.Why)
	if r.Record != nil {
		n.add("record at "+r.RecordAt, string(r.Policy), r.Record.Raw)
		for _, p := range r.Record.Problems {
			n.add("problem", "", p)
		}
	}
	if r.Org != "" {
		n.add("organization", r.Org, "")
	}
	for _, id := range r.Identifiers {
		aligned := "not aligned"
		if id.Aligned {
			aligned = "aligned"
		}
		n.add(id.Method+" "+id.Domain, id.Result+", "+aligned, id.Why)
	}
	for _, s := range r.Trace {
		n.add("asked", "", s.String())
	}
}

// writeTree prints a node and what lies under it. All texts may be hostile.
func writeTree(w io.Writer, p term.Paint, n *node, lead, under string) {
	line := p.Bold(term.Plain(n.What, 200))
	if n.Result != "" {
		line += "  " + p.Result(term.Plain(n.Result, 100))
	}
	if n.Detail != "" {
		line += "  " + p.Dim(term.Plain(n.Detail, 400))
	}
	fmt.Fprintln(w, lead+line)
	for i, c := range n.Nodes {
		if i == len(n.Nodes)-1 {
			writeTree(w, p, c, under+"└─ ", under+"   ")
		} else {
			writeTree(w, p, c, under+"├─ ", under+"│  ")
		}
	}
}
