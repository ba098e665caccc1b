package notice

import (
	"context"
	"errors"
	"strings"
	"time"

	"sluice"
	"sluice/subscriber/notice/ticket"
)

// level reads the words that gateways use for what became of a message; "" for those that
// say nothing. DELIVRD and the like are SMPP's (3.4, 5.2.28).
func level(status string) sluice.ProofLevel {
	switch strings.ToLower(strings.TrimSpace(status)) {
	case "delivered", "delivrd", "delivered_to_handset", "read":
		return sluice.ProofDelivered
	case "failed", "undelivered", "undeliv", "undeliverable", "rejected", "rejectd", "expired", "deleted", "error":
		return sluice.ProofFailed
	case "accepted", "acceptd", "sent", "queued", "buffered", "enroute":
		return sluice.ProofAccepted
	}
	return ""
}

// ErrStatus is what Receipt returns for a word that it doesn't know.
var ErrStatus = errors.New("notice: no such status")

// Receipt takes what a service says of a notice, whose ticket was given to it. The error
// is ErrStatus, or one of [ticket.Sealer.Open]: whoever has the ticket is whom we asked.
func (n *Notifier) Receipt(ctx context.Context, now time.Time, token, status, detail string) error {
	t, err := n.cfg.Tickets.Open(token, now)
	if err == nil && (t.Use != ticket.Receipt || t.Try == "") {
		err = ticket.ErrInvalid
	}
	if err != nil {
		return err
	}
	return n.receipt(ctx, now, t.Case, t.Try, status, detail)
}

// ReceiptOf is Receipt for services that say the notice's name instead; the caller has to
// know who speaks.
func (n *Notifier) ReceiptOf(ctx context.Context, now time.Time, name, status, detail string) error {
	id, try, ok := split(name)
	if !ok {
		return ticket.ErrInvalid
	}
	return n.receipt(ctx, now, id, try, status, detail)
}

func (n *Notifier) receipt(ctx context.Context, now time.Time, id, try, status, detail string) error {
	l := level(status)
	if l == "" {
		return ErrStatus
	}
	if strings.HasPrefix(try, ByMail+"-") || strings.HasPrefix(try, ByCaptive+"-") {
		return ticket.ErrInvalid // their proof comes another way
	}
	n.prove(ctx, now, proof{id, try, l, clip(strings.TrimSpace(status + " " + detail))})
	return nil
}
