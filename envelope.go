package sluice

import "time"

// Envelope is one mail transaction. Reset makes a new one.
type Envelope struct {
	ID       string // the reference shown to sender and admin; random, unguessable
	From     string // reverse path without brackets, "" for the null sender
	Params   []Param
	Rcpts    []Recipient
	Size     int64  // declared SIZE, 0 where absent; a hint, never an allocation
	Body     string // "", "7BIT", "8BITMIME" or "BINARYMIME"
	SMTPUTF8 bool
	Tenant   string // owner of the recipients' domain; of outbound mail, of the sender's
	// Outbound mail comes from a user of ours and goes to other systems.
	Outbound bool `json:",omitzero"`
	Received time.Time
}

// Recipient is one accepted RCPT.
type Recipient struct {
	Address string // forward path without brackets, as written
	Params  []Param
}

// Addresses lists the recipients' addresses in order.
func (e *Envelope) Addresses() []string {
	out := make([]string, len(e.Rcpts))
	for i, r := range e.Rcpts {
		out[i] = r.Address
	}
	return out
}
