// Package maildir delivers into a Maildir: the next hop for trying Sluice out
// without a mail server, and for archives.
//
// All recipients share one Maildir, and a message is stored once: the file
// begins with Return-Path and one Delivered-To for each recipient, then comes
// the message with LF for CRLF, as readers of Maildirs expect. No part of a
// path comes from mail.
package maildir

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"sluice"
	"sluice/internal/durable"
)

// Config says where.
type Config struct {
	Dir      string     // the Maildir; tmp, new and cur are made in it
	FS       durable.FS // nil: the operating system's
	Hostname string     // part of file names; default "localhost"
}

// Maildir is a [sluice.Deliverer]. It is safe for concurrent use.
type Maildir struct {
	cfg   Config
	count atomic.Uint64
}

var _ sluice.Deliverer = (*Maildir)(nil)

// New makes the folders.
func New(cfg Config) (*Maildir, error) {
	if cfg.Dir == "" {
		return nil, errors.New("maildir: no folder given")
	}
	if cfg.FS == nil {
		cfg.FS = durable.OS{}
	}
	if cfg.Hostname == "" {
		cfg.Hostname = "localhost"
	}
	// The Maildir convention for the two characters that can't stand there.
	cfg.Hostname = strings.NewReplacer("/", `\057`, ":", `\072`).Replace(cfg.Hostname)
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := cfg.FS.MkdirAll(path.Join(cfg.Dir, sub)); err != nil {
			return nil, fmt.Errorf("maildir: %w", err)
		}
	}
	return &Maildir{cfg: cfg}, nil
}

// Deliver implements [sluice.Deliverer]: one file for all recipients, so they
// share one outcome. It says success after file and folder are synced.
func (m *Maildir) Deliver(ctx context.Context, d *sluice.Delivery) []sluice.Outcome {
	if len(d.Envelope.Rcpts) == 0 {
		return nil
	}
	reply := sluice.Reply{Code: 250, Enhanced: "2.0.0", Text: "Stored"}
	err := ctx.Err()
	if err == nil {
		err = m.store(d)
	}
	if err != nil {
		err = fmt.Errorf("maildir: %w", err)
		reply = sluice.Reply{Code: 451, Enhanced: "4.3.0", Text: "Can't store the message now; please try again later"}
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			reply = sluice.Reply{Code: 452, Enhanced: "4.3.1", Text: "Storage is full; please try again later"}
		}
	}
	out := make([]sluice.Outcome, len(d.Envelope.Rcpts))
	for i, rc := range d.Envelope.Rcpts {
		out[i] = sluice.Outcome{Recipient: rc.Address, Reply: reply, Err: err}
	}
	return out
}

func (m *Maildir) store(d *sluice.Delivery) error {
	name := m.name()
	tmp, done := path.Join(m.cfg.Dir, "tmp", name), path.Join(m.cfg.Dir, "new", name)
	f, err := m.cfg.FS.Create(tmp)
	if err != nil {
		return err
	}
	err = durable.Finish(f, func(w io.Writer) error {
		_, err := w.Write(text(d))
		return err
	})
	if err != nil {
		_ = m.cfg.FS.Remove(tmp)
		return err
	}
	if err := m.cfg.FS.Rename(tmp, done); err != nil {
		_ = m.cfg.FS.Remove(tmp)
		return err
	}
	if err := m.cfg.FS.SyncDir(path.Join(m.cfg.Dir, "new")); err != nil {
		// The sender will send it again.
		_ = m.cfg.FS.Remove(done)
		return err
	}
	return nil
}

// name makes a unique name: time, process, count and randomness, so that it
// differs even from those of another machine on the same folder.
func (m *Maildir) name() string {
	now := time.Now()
	return fmt.Sprintf("%d.M%06dP%dQ%dR%s.%s", now.Unix(), now.Nanosecond()/1000, os.Getpid(), m.count.Add(1), rand.Text()[:8], m.cfg.Hostname)
}

// text is the file's content.
func text(d *sluice.Delivery) []byte {
	b := make([]byte, 0, len(d.Header)+len(d.Body)+256)
	b = append(b, "Return-Path: <"+clean(d.Envelope.From)+">\n"...) // RFC 5321 4.4
	for _, rc := range d.Envelope.Rcpts {
		b = append(b, "Delivered-To: "+clean(rc.Address)+"\n"...)
	}
	b = appendLF(b, d.Header)
	return appendLF(b, d.Body)
}

// clean keeps an address from ending its field.
func clean(addr string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, addr)
}

// appendLF appends text with LF for each CRLF. Any other CR or LF stays.
func appendLF(dst, text []byte) []byte {
	for {
		i := bytes.Index(text, []byte("\r\n"))
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(append(dst, text[:i]...), '\n')
		text = text[i+2:]
	}
}

// Extensions implements [sluice.Deliverer]: a file takes anything.
func (m *Maildir) Extensions(context.Context) sluice.Extensions {
	return sluice.Extensions{EightBit: true, SMTPUTF8: true, Known: true}
}

// Close implements [sluice.Deliverer]; there is nothing to close.
func (m *Maildir) Close() error { return nil }
