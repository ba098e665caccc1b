package config

import (
	"fmt"
	"slices"
	"strings"
)

// Subscribers follows our own users: infected devices and stolen accounts among them
// (docs/subscribers.md). It is read at the start only.
type Subscribers struct {
	On bool `toml:"on"`

	// Sources of who the users are, asked in this order. None: an account is a user, and
	// its own mailbox the only contact.
	File string         `toml:"file"` // one JSON entry a line
	HTTP SubscriberHTTP `toml:"http"`
	SQL  SubscriberSQL  `toml:"sql"`
	LDAP SubscriberLDAP `toml:"ldap"`

	// Restrict is what is done to mail of a class of users: hold, clamp, reauth or reply.
	Restrict map[string]string `toml:"restrict"`

	OpenAt   float64 `toml:"open_at"`   // decibel at which a case is opened
	HoldAt   float64 `toml:"hold_at"`   // … and mail is held
	OwnLeast float64 `toml:"own_least"` // what own observation must bring of that
	WatchAt  float64 `toml:"watch_at"`  // by how much both are lower after a release

	ClampTo      int `toml:"clamp_to"`       // messages an hour of a clamped user
	HoldsPerHour int `toml:"holds_per_hour"` // without an admin

	Watch      Duration `toml:"watch"`       // how long a released user is watched
	TellWithin Duration `toml:"tell_within"` // then an admin is called
	AnswerIn   Duration `toml:"answer_in"`   // the same where nobody answers
	QuietFrom  int      `toml:"quiet_from"`  // hours of the user's day in which nobody is told
	QuietTo    int      `toml:"quiet_to"`

	Notice Notice `toml:"notice"`
}

// SubscriberHTTP is a service that is asked by HTTPS.
type SubscriberHTTP struct {
	URL       string `toml:"url"`
	TokenFile string `toml:"token_file"` // a bearer token
}

// SubscriberSQL is a database.
type SubscriberSQL struct {
	URL          string `toml:"url"` // as that of a directory
	PasswordFile string `toml:"password_file"`
	Find         string `toml:"find"` // a query for a trace: $1 account, $2 sender's address, $3 client's address, $4 time
	Key          string `toml:"key"`  // a query for the key $1
}

// SubscriberLDAP is a directory.
type SubscriberLDAP struct {
	URL          string            `toml:"url"`
	BindDN       string            `toml:"bind_dn"`
	PasswordFile string            `toml:"password_file"`
	Base         string            `toml:"base"`
	Filter       string            `toml:"filter"` // %a account, %m sender's address, %c client's address
	Attributes   map[string]string `toml:"attributes"`
	// Contacts are attributes that hold contacts, in order: "mobile" = "sms".
	Contacts []SubscriberContact `toml:"contacts"`
}

// SubscriberContact is an attribute that holds a contact.
type SubscriberContact struct {
	Attribute string `toml:"attribute"`
	Channel   string `toml:"channel"` // mail, sms or webhook
	Same      bool   `toml:"same"`    // who has the account reads it too
}

var (
	subscriberClasses = []string{"person", "business", "bulk", "server"}
	restrictions      = []string{"hold", "clamp", "reauth", "reply"}
	contactChannels   = []string{"mail", "sms", "webhook"}
)

func defaultSubscribers() Subscribers {
	return Subscribers{OpenAt: 8, HoldAt: 13, OwnLeast: 12, WatchAt: 8, ClampTo: 10, HoldsPerHour: 50,
		Watch: dur(7 * day), TellWithin: dur(day), AnswerIn: dur(7 * day), QuietFrom: 22, QuietTo: 7, Notice: defaultNotice()}
}

func (c *Config) finishSubscribers() error {
	s := &c.Subscribers
	for class, r := range s.Restrict {
		if !slices.Contains(subscriberClasses, class) {
			return fmt.Errorf("config: subscribers: restrict: class %q: want one of %s", class, strings.Join(subscriberClasses, ", "))
		}
		if !slices.Contains(restrictions, r) {
			return fmt.Errorf("config: subscribers: restrict: %s = %q: want one of %s", class, r, strings.Join(restrictions, ", "))
		}
	}
	for _, k := range s.LDAP.Contacts {
		if k.Attribute == "" || !slices.Contains(contactChannels, k.Channel) {
			return fmt.Errorf("config: subscribers: ldap: contacts: want an attribute and a channel, one of %s", strings.Join(contactChannels, ", "))
		}
	}
	switch {
	case s.HoldAt < s.OpenAt:
		return fmt.Errorf("config: subscribers: hold_at %v is below open_at %v", s.HoldAt, s.OpenAt)
	case s.QuietFrom < 0 || s.QuietFrom > 23 || s.QuietTo < 0 || s.QuietTo > 23:
		return fmt.Errorf("config: subscribers: quiet_from %d, quiet_to %d: want hours from 0 to 23", s.QuietFrom, s.QuietTo)
	case s.ClampTo < 1 || s.HoldsPerHour < 1:
		return fmt.Errorf("config: subscribers: clamp_to and holds_per_hour: want at least 1")
	}
	return c.finishNotice()
}
