package sluice

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound is what stores return for an id they don't have.
var ErrNotFound = errors.New("not found")

// Record is one row of the message log: everything needed to explain, replay
// and count one transaction, refused ones included.
type Record struct {
	ID        string // the envelope's ID
	Tenant    string
	Time      time.Time
	Conn      Conn
	Envelope  Envelope
	Subject   string // decoded, hostile
	MessageID string
	Size      int64
	Phase     Phase // where it ended
	Verdict   Verdict
	Decisions []Decision
	Outcomes  []Outcome
	Reply     Reply // what the sender got
	Micros    int64 // wall time from MAIL to the reply

	Files     []FileSeen // what was looked into, at most [MaxFilesSeen]
	FilesLeft int        // how many more there were

	// Authenticated are the domains that proved in this transaction that they stand behind
	// it, at most [MaxAuthenticated].
	Authenticated []Authenticated `json:",omitzero"`
}

// MaxAuthenticated bounds [Record.Authenticated].
const MaxAuthenticated = 10

// Authenticated is a domain that authentication proved to stand behind a message.
type Authenticated struct {
	Domain string // lower case, A-labels
	// By is the method that passed: "dmarc" for the author's domain, "spf" for the
	// reverse-path's (aligned with the author's, where there was a message to have one),
	// "dkim" for a signer's.
	By string
}

// Action is the strongest action among the recipients' decisions. A record
// without a decision ended before policy was asked: there the reply says it.
func (r *Record) Action() Action {
	strongest := Accept
	for _, d := range r.Decisions {
		strongest = max(strongest, d.Action)
	}
	if len(r.Decisions) == 0 {
		switch {
		case r.Reply.Permanent():
			return Reject
		case r.Reply.Temporary():
			return Defer
		}
	}
	return strongest
}

// Recipients lists the accepted recipients, then those that were refused on the
// way.
func (r *Record) Recipients() []string {
	out := r.Envelope.Addresses()
	seen := make(map[string]bool, len(out))
	for _, a := range out {
		seen[a] = true
	}
	for _, o := range r.Outcomes {
		if o.Recipient != "" && !seen[o.Recipient] {
			seen[o.Recipient] = true
			out = append(out, o.Recipient)
		}
	}
	return out
}

// MaxPage is the most rows that one query yields.
const MaxPage = 500

// Page is the number of rows that the query may yield.
func (q Query) Page() int {
	if q.Limit <= 0 {
		return 50
	}
	return min(q.Limit, MaxPage)
}

// Query selects records or quarantine rows. Zero fields don't filter.
type Query struct {
	Tenant  string
	Since   time.Time
	Until   time.Time
	Action  *Action
	Threat  *Threat
	Text    string // matches sender, recipient, subject or id, case-insensitively
	Before  string // id of the last row of the page before; newest first
	Limit   int    // default 50, at most 500
	Pending bool   // quarantine: include pending ones

	// SHA256 and File choose messages that carried a file: one with this digest, one
	// whose name holds this text, case-insensitively; with both, one file must have both.
	// Quarantine rows are chosen by the files of the record with the same id, and only as
	// long as the log keeps it.
	SHA256 Digest
	File   string
	// Inside chooses messages with a file in which something was found that holds this
	// text: an address, or a sign such as MACRO_AUTORUN; case-insensitively. With SHA256
	// or File, it must be that file.
	Inside string
	// Relayed chooses mail that users of ours sent to other systems by its Message-ID, with
	// or without angle brackets. It doesn't filter quarantine rows.
	Relayed string
}

// LogStats counts what the log did since start.
type LogStats struct {
	Written, Dropped, Failed uint64
	Queued                   int
}

// Log is the message log.
type Log interface {
	// Append queues a record and returns at once; a full queue drops it and
	// counts that. A slow disk never blocks the port.
	Append(r *Record)
	// Flush waits until what was queued before is written.
	Flush(ctx context.Context) error
	Record(ctx context.Context, id string) (*Record, error)
	Records(ctx context.Context, q Query) ([]*Record, error)
	LogStats() LogStats
	// Sweep deletes rows older than t and says how many.
	Sweep(ctx context.Context, t time.Time) (int, error)
}

// LogCounter counts the message log.
type LogCounter interface {
	// CountActions counts records since t by [Record.Action]; an empty tenant
	// means all of them.
	CountActions(ctx context.Context, tenant string, t time.Time) (map[Action]int, error)
}

// QuarantineIndex finds quarantined messages; the files are the truth.
type QuarantineIndex interface {
	IndexQuarantined(ctx context.Context, q *Quarantined) error
	Unindex(ctx context.Context, id string) error
	Quarantined(ctx context.Context, q Query) ([]*Quarantined, error)
	// ReplaceIndex swaps the whole index for what each yields.
	ReplaceIndex(ctx context.Context, each func(yield func(*Quarantined) error) error) error
}

// Tenant owns recipient domains.
type Tenant struct {
	ID      string
	Name    string
	Domains []string
}

// Tenants keeps them.
type Tenants interface {
	PutTenant(ctx context.Context, t *Tenant) error
	Tenant(ctx context.Context, id string) (*Tenant, error)
	ListTenants(ctx context.Context) ([]*Tenant, error)
}

// Account may log in to the console.
type Account struct {
	Name     string
	Password string // a salted slow hash, never the word itself
	Created  time.Time
}

// Accounts keeps console logins.
type Accounts interface {
	PutAccount(ctx context.Context, a *Account) error
	Account(ctx context.Context, name string) (*Account, error)
	CountAccounts(ctx context.Context) (int, error)
}

// Memo is one small fact that outlives the process: counts of a network's good
// and bad mail, an entry of the greylist.
type Memo struct {
	Kind    string // who keeps it: "reputation", "greylist", …
	Key     string // unique within the kind
	Value   []byte // the owner's own form, at most 64 kB
	Updated time.Time
}

// MaxMemo is the size of the largest [Memo.Value].
const MaxMemo = 64 << 10

// Memos keeps them. Their owners hold them in memory and write what changed from
// time to time: what was learned in the last seconds before a crash may be lost.
type Memos interface {
	// PutMemos adds or replaces all of them, or none.
	PutMemos(ctx context.Context, memos []Memo) error
	// EachMemo yields a kind's, in no order, until each returns an error.
	EachMemo(ctx context.Context, kind string, each func(Memo) error) error
	// DropMemos deletes those of a kind last updated before t and says how many.
	DropMemos(ctx context.Context, kind string, t time.Time) (int, error)
}

// Store is everything a node remembers in its database.
type Store interface {
	Log
	LogCounter
	QuarantineIndex
	FeedbackLog
	Tenants
	Accounts
	Memos
	Close() error
}
