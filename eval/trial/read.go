package trial

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"runtime"
	"strings"
	"sync"
	"time"

	"sluice/learn/campaign"
	"sluice/message"
	"sluice/scan"
)

// Input is a stored message for a kind's Read.
type Input struct {
	ID      string
	Mail    *scan.Mail
	Message *message.Message
}

// Inbox is what Read returns.
type Inbox struct {
	Mail    []*Mail
	NotMail int     // files that are none
	Errors  []error // of messages that couldn't be read
}

// Read reads and parses all messages, several at a time, and has them read for a
// kind of filter. The order stays. step is called after each, from one goroutine at
// a time; it may be nil.
func Read(ctx context.Context, k Kind, sources []Source, step func()) (*Inbox, error) {
	mails := make([]*Mail, len(sources))
	errs := make([]error, len(sources))
	prints := campaign.New(campaign.Config{Fingerprints: 1, Key: printKey})
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				mails[i], errs[i] = read(ctx, k, &sources[i], prints)
				if step != nil {
					mu.Lock()
					step()
					mu.Unlock()
				}
			}
		})
	}
	for i := range sources {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	box := new(Inbox)
	for i := range sources {
		switch {
		case errs[i] == nil:
			box.Mail = append(box.Mail, mails[i])
		case errors.Is(errs[i], scan.ErrNotMail):
			box.NotMail++
		default:
			box.Errors = append(box.Errors, errs[i])
		}
	}
	return box, nil
}

func read(ctx context.Context, k Kind, s *Source, prints *campaign.Memory) (*Mail, error) {
	stored, err := s.Open()
	if err != nil {
		return nil, err
	}
	msg := message.Parse(stored.Raw, message.DefaultLimits())
	m := &Mail{ID: s.ID, Corpus: s.Corpus, Label: s.Label, Spam: s.Spam(), Part: s.Part, Year: s.Year, group: s.Group,
		At: arrived(stored, msg, s.Year), Subject: msg.View().Subject}
	if m.Year == 0 && !m.At.IsZero() {
		m.Year = m.At.Year()
	}
	if m.group == "" {
		m.print = &fingerprint{prints.Print(msg)}
	}
	m.doc = k.Read(ctx, &Input{ID: s.ID, Mail: stored, Message: msg})
	return m, nil
}

// arrived is when the receiver took the message, else what Date says. In a corpus
// that knows the year, a time more than a year off gives way to the middle of it.
func arrived(stored *scan.Mail, m *message.Message, year int) time.Time {
	times := []time.Time{scan.Stored(stored, m).Hop.Time}
	if t, err := mail.ParseDate(strings.TrimSpace(m.Header().Get("Date"))); err == nil {
		times = append(times, t)
	}
	for _, t := range times {
		if !t.IsZero() && (year == 0 || t.Year() >= year-1 && t.Year() <= year+1) {
			return t.UTC()
		}
	}
	if year == 0 {
		return time.Time{}
	}
	return time.Date(year, time.July, 1, 0, 0, 0, 0, time.UTC)
}
