// Package desk takes messages that senders mail to have them looked at. Each try has an
// address of its own, made for it and good for an hour and one message; only mail that
// DMARC proves is answered, at its author's address. Everything else is refused at the
// final dot, so that nobody is ever sent an answer to what he didn't write.
package desk

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice"
	"sluice/explain"
	"sluice/lint"
	"sluice/lint/letter"
	"sluice/lint/report"
	"sluice/mailauth"
	"sluice/mailauth/dkim"
	"sluice/mailauth/dmarc"
	"sluice/message"
	"sluice/message/header"
	"sluice/reason"
)

// Config sets up a Desk. All of it is needed but Lifetime, MaxSize, Author and Postmaster.
type Config struct {
	Domain string // of the addresses, in lower-case A-labels; one of ours
	// Key signs addresses, at least 32 octets; nodes with one key know each other's.
	Key  []byte
	Lint func(ctx context.Context, in lint.Input) *report.Report
	// Send puts an answer into the queue: from the null sender, to its one recipient.
	Send       func(ctx context.Context, to string, raw []byte) error
	Lifetime   time.Duration // of an address; 0: an hour
	MaxSize    int64         // of a message, in octets; 0: any
	Author     string        // of the answers; "": postmaster@ Domain
	Postmaster string        // for questions, in refusals
	Clock      func() time.Time
	Rand       io.Reader
}

// Desk takes messages. It is safe for concurrent use.
type Desk struct {
	c Config

	mu   sync.Mutex
	used map[string]time.Time // addresses that had their message, until they expire
}

// maxUsed bounds the addresses that are remembered; beyond it the desk takes nothing
// until some expire.
const maxUsed = 10_000

// prefix begins the local parts.
const prefix = "lint-"

// What a token consists of, in octets: the minute of its birth, noise, a seal.
const (
	minuteSize, noiseSize, sealSize = 4, 6, 10
	tokenSize                       = minuteSize + noiseSize + sealSize
)

// letters are those of tokens: mail programs keep them, whatever they do to case.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// New checks the configuration.
func New(c Config) (*Desk, error) {
	if c.Domain == "" || len(c.Key) < 32 || c.Lint == nil || c.Send == nil || c.Clock == nil || c.Rand == nil {
		return nil, errors.New("lint/desk: the configuration lacks something")
	}
	if c.Lifetime <= 0 {
		c.Lifetime = time.Hour
	}
	if c.Author == "" {
		c.Author = "postmaster@" + c.Domain
	}
	if !plain(c.Author, 254) {
		return nil, fmt.Errorf("lint/desk: the answers' author %q can't be written", c.Author)
	}
	return &Desk{c: c, used: map[string]time.Time{}}, nil
}

// Address makes an address for one try.
func (d *Desk) Address() (string, error) {
	b := make([]byte, minuteSize+noiseSize, tokenSize)
	binary.BigEndian.PutUint32(b, uint32(d.c.Clock().Unix()/60))
	if _, err := io.ReadFull(d.c.Rand, b[minuteSize:]); err != nil {
		return "", fmt.Errorf("lint/desk: %w", err)
	}
	b = append(b, d.seal(b)...)
	return prefix + letters.EncodeToString(b) + "@" + d.c.Domain, nil
}

func (d *Desk) seal(b []byte) []byte {
	h := hmac.New(sha256.New, d.c.Key)
	h.Write([]byte("lint/desk " + d.c.Domain + " "))
	h.Write(b)
	return h.Sum(nil)[:sealSize]
}

// born reads when an address was made; ok is false where it isn't one of ours.
func (d *Desk) born(addr string) (token string, at time.Time, ok bool) {
	addr = header.Lower(addr)
	if len(addr) > 254 || header.Lower(sluice.DomainOf(addr)) != d.c.Domain {
		return "", at, false
	}
	token, ok = strings.CutPrefix(sluice.LocalOf(addr), prefix)
	if !ok {
		return "", at, false
	}
	b, err := letters.DecodeString(token)
	if err != nil || len(b) != tokenSize || letters.EncodeToString(b) != token {
		return "", at, false
	}
	signed := b[:minuteSize+noiseSize]
	if subtle.ConstantTimeCompare(b[len(signed):], d.seal(signed)) != 1 {
		return "", at, false
	}
	return token, time.Unix(int64(binary.BigEndian.Uint32(b))*60, 0), true
}

// Takes says whether an address is one that a desk with this key made. One that had its
// message, or that is too old, is taken too: its sender is told so at the final dot.
func (d *Desk) Takes(addr string) bool {
	if d == nil {
		return false
	}
	_, _, ok := d.born(addr)
	return ok
}

// expired counts from the begin of the minute of birth.
func (d *Desk) expired(born time.Time) bool {
	age := d.c.Clock().Sub(born)
	return age < -time.Minute || age > d.c.Lifetime
}

// use takes an address for one message; false where it had one.
func (d *Desk) use(token string, born time.Time) bool {
	now := d.c.Clock()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.used) >= maxUsed {
		for t, until := range d.used {
			if now.After(until) {
				delete(d.used, t)
			}
		}
	}
	if _, gone := d.used[token]; gone || len(d.used) >= maxUsed {
		return false
	}
	d.used[token] = born.Add(d.c.Lifetime)
	return true
}

// back makes an address usable again, where nothing came of its message.
func (d *Desk) back(token string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.used, token)
}

// Take looks at a message for one of the desk's addresses, queues the answer, and returns
// the reply to the final dot. An error is the operator's; then the reply is temporary.
// auth may be nil: then nothing is proved.
func (d *Desk) Take(ctx context.Context, conn *sluice.Conn, env *sluice.Envelope, auth *mailauth.Auth, m *message.Message) (sluice.Reply, error) {
	o := explain.Options{Ref: env.ID, Postmaster: d.c.Postmaster}
	to, why := d.author(ctx, env, auth, m)
	if why != "" {
		return explain.Reason(why, o), nil
	}
	token, born, ok := d.born(env.Rcpts[0].Address)
	if !ok || d.expired(born) || !d.use(token, born) {
		return explain.Reason(reason.LintAddressUsed, o), nil
	}
	r := d.c.Lint(ctx, lint.Input{Raw: m.Raw, Conn: conn, Envelope: *env})
	err := ctx.Err()
	if err == nil {
		err = d.answer(ctx, to, m, r.Public())
	}
	if err != nil {
		d.back(token)
		return explain.Reason(reason.LocalError, o), fmt.Errorf("lint/desk: %w", err)
	}
	return sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Looked at; the answer is on its way to the author. ref " + env.ID}, nil
}

// author is who is answered, or why nobody is.
func (d *Desk) author(ctx context.Context, env *sluice.Envelope, auth *mailauth.Auth, m *message.Message) (to string, why sluice.Reason) {
	automatic := m.Header().Field("Auto-Submitted") != nil && header.Lower(strings.TrimSpace(m.Header().Get("Auto-Submitted"))) != "no"
	switch {
	case len(env.Rcpts) != 1:
		return "", reason.LintNotAlone
	case d.c.MaxSize > 0 && int64(len(m.Raw)) > d.c.MaxSize:
		return "", reason.MessageTooBig
	case automatic || env.From == "": // RFC 3834 2
		return "", reason.LintAutomatic
	case !auth.InTransaction():
		return "", reason.LintNotProved
	}
	who, proved := auth.Author(m), auth.DMARC(ctx, m, d.c.Clock())
	switch {
	case proved.Value == dmarc.TempError:
		return "", reason.LintUnsure
	case !who.Clear || proved.Value != dmarc.Pass || !plain(who.Address, 254):
		return "", reason.LintNotProved
	case !meant(ctx, env.Rcpts[0].Address, auth, m, &proved, d.c.Clock()):
		return "", reason.LintNotProved
	}
	return who.Address, ""
}

// meant says whether the author sent the message here. An aligned SPF pass says so: the
// domain's own server brought it. A signature alone doesn't, since anybody who has a signed
// message can send it once more: then the address must stand in the one signed To.
func meant(ctx context.Context, addr string, auth *mailauth.Auth, m *message.Message, proved *dmarc.Result, now time.Time) bool {
	signers := map[string]bool{}
	for _, id := range proved.Identifiers {
		switch {
		case !id.Aligned || id.Result != "pass":
		case id.Method == "spf":
			return true
		default:
			signers[id.Domain] = true
		}
	}
	to, _ := header.ParseAddressList(m.Header().Get("To"))
	if m.Header().Count("To") != 1 || !slices.ContainsFunc(to, func(a header.Address) bool { return header.EqualFold(a.String(), addr) }) {
		return false
	}
	return slices.ContainsFunc(auth.DKIM(ctx, m, now), func(r dkim.Result) bool {
		return r.Status == dkim.Pass && signers[r.Domain] && slices.Contains(r.Signed, "to")
	})
}

// answer writes it and puts it into the queue.
func (d *Desk) answer(ctx context.Context, to string, m *message.Message, r *report.Report) error {
	raw, err := d.write(to, m, r)
	if err != nil {
		return err
	}
	return d.c.Send(ctx, to, raw)
}

// write makes the answer. What stands in its header is ours, but for the address, which
// DMARC proved, and the message's id, which is taken only in its plain form.
func (d *Desk) write(to string, m *message.Message, r *report.Report) ([]byte, error) {
	var noise [12]byte
	if _, err := io.ReadFull(d.c.Rand, noise[:]); err != nil {
		return nil, err
	}
	now := d.c.Clock()
	var b bytes.Buffer
	field := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	field("From", "Mail gateway <"+d.c.Author+">")
	field("To", "<"+to+">")
	field("Subject", "What we saw of your message")
	field("Date", now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	field("Message-ID", "<"+letters.EncodeToString(noise[:])+".lint@"+d.c.Domain+">")
	if id := strings.TrimSpace(m.Header().Get("Message-Id")); plain(id, 250) && strings.HasPrefix(id, "<") && strings.HasSuffix(id, ">") {
		field("In-Reply-To", id)
	}
	field("Auto-Submitted", "auto-replied") // RFC 3834 5
	field("MIME-Version", "1.0")
	field("Content-Type", "text/plain; charset=utf-8")
	field("Content-Transfer-Encoding", "8bit")
	b.WriteString("\r\n")
	var text bytes.Buffer
	letter.Write(&text, letter.Plain{}, r, true)
	for line := range strings.Lines(text.String()) {
		b.WriteString(strings.TrimRight(line, "\n") + "\r\n") // letter escapes and bounds what isn't ours
	}
	return b.Bytes(), nil
}

// plain says whether a text is printable ASCII without spaces, and short.
func plain(s string, most int) bool {
	return s != "" && len(s) <= most && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
