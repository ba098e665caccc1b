package trial

import (
	"encoding/json"
	"math"

	"sluice/eval"
	"sluice/eval/trec"
)

// Report is what Run returns. It marshals to JSON: shares are between 0 and 1, names
// with "percent" in hundredths, null stands for what can't be known.
type Report struct {
	Filter     string        `json:"filter"`
	Learns     bool          `json:"learns"`
	Source     string        `json:"source"`
	Order      trec.Order    `json:"order"`
	Feedback   trec.Feedback `json:"feedback"`
	Ham        int           `json:"ham"`
	Spam       int           `json:"spam"`
	Trained    int           `json:"trained_before"` // messages learned before the first was judged
	NotMail    int           `json:"not_mail"`
	Unreadable int           `json:"unreadable"`

	// Runs has a run for each seed; all else in the report is of the last.
	Runs []Pass `json:"runs"`
	Area number `json:"1-roca_percent"` // mean of the runs
	Miss number `json:"h.1_percent"`
	Lam  number `json:"lam_percent"`

	Recall         []Point     `json:"recall"`
	ECE            number      `json:"ece"`
	Brier          number      `json:"brier"`
	Bins           []trec.Bin  `json:"bins"`
	Good           []GoodRow   `json:"good_pools"`
	Bad            []BadRow    `json:"bad_pools"`
	Years          []YearRow   `json:"years,omitempty"`
	Templates      *Templates  `json:"templates,omitempty"`
	Actions        []ActionRow `json:"actions,omitempty"`
	Evasion        []Disguise  `json:"evasion,omitempty"`
	Cost           Cost        `json:"cost"`
	FalsePositives []Example   `json:"false_positives"` // ham that reads worst, with P ≥ 0.5
	Misses         []Example   `json:"misses"`          // spam that reads best, with P < 0.5
	Notes          []string    `json:"notes,omitempty"`

	judged []Judged
}

// Judged is every message of the last run, in its order.
func (r *Report) Judged() []Judged { return r.judged }

// Pass is one run through the mail.
type Pass struct {
	Seed     uint64 `json:"seed"`
	Labels   int    `json:"labels"` // told on the way
	Area     number `json:"1-roca_percent"`
	AreaLow  number `json:"1-roca_percent_low"` // 95 %, bootstrap
	AreaHigh number `json:"1-roca_percent_high"`
	Miss     number `json:"h.1_percent"` // spam missed where 0.1 % of ham is
	Lam      number `json:"lam_percent"` // logistic average of both misclassifications at P = 0.5
	HamMiss  number `json:"ham_percent"` // ham with P ≥ 0.5
	SpamMiss number `json:"spam_percent"`
	ECE      number `json:"ece"`
}

// Point is how much spam is caught where so many false positives are allowed.
type Point struct {
	Allowed   float64 `json:"allowed"`
	Known     bool    `json:"known"`  // the ham suffices to tell
	Needed    int     `json:"needed"` // ham, to tell
	Recall    Share   `json:"recall"`
	Threshold number  `json:"threshold"`       // of the score: what lies above is caught
	False     Share   `json:"false_positives"` // ham above it: the interval is what the threshold may really cost
}

// GoodRow is a pool of good mail.
type GoodRow struct {
	Pool  string   `json:"pool"`
	Half  Share    `json:"half"`  // P ≥ 0.5
	Above [2]Share `json:"above"` // above the thresholds of 1 % and 0.1 % of all ham
}

// BadRow is a pool of bad mail, against the good mail of its own corpus where that
// has 100 messages, else against all.
type BadRow struct {
	Pool    string  `json:"pool"`
	Against string  `json:"against"` // the corpus, or "all"
	Ham     int     `json:"ham"`
	AUC     number  `json:"auc"`
	Points  []Point `json:"points"` // 1 % and 0.1 %
	Half    Share   `json:"half"`   // P ≥ 0.5
}

// YearRow is the bad mail of a pool and year, above the threshold of 1 % of all ham.
type YearRow struct {
	Pool   string `json:"pool"`
	Year   int    `json:"year"`
	Recall Share  `json:"recall"`
}

// Templates is the run with only the first of each group of near duplicates.
type Templates struct {
	Ham    int     `json:"ham"`
	Spam   int     `json:"spam"`
	Area   number  `json:"1-roca_percent"`
	Recall []Point `json:"recall"`
}

// ActionRow is what the policy would have done with a pool.
type ActionRow struct {
	Pool  string         `json:"pool"`
	N     int            `json:"n"`
	Count map[string]int `json:"count"`
	Held  Share          `json:"held"` // that wouldn't have reached its mailbox
}

// Disguise is what of the bad mail is caught behind a trick.
type Disguise struct {
	Trick   string `json:"trick"`
	Recall  number `json:"recall"`   // at 1 % false positives
	OfClean number `json:"of_clean"` // as a share of the recall without a trick
}

// Cost is processor time in milliseconds a message, the mean.
type Cost struct {
	Read  float64 `json:"read_ms"`  // to read, parse and find what the filter works on
	Judge float64 `json:"judge_ms"` // to judge, and to learn on the way
}

// Example is a message for a person to look at.
type Example struct {
	ID      string  `json:"id"`
	Label   string  `json:"label"`
	Subject string  `json:"subject"`
	Score   number  `json:"score"`
	P       float64 `json:"probability"`
	Action  string  `json:"action,omitempty"`
	Why     string  `json:"why,omitempty"`
}

// Share is k of n with its exact 95 % interval.
type Share struct{ eval.Rate }

// MarshalJSON writes counts, share and interval.
func (s Share) MarshalJSON() ([]byte, error) {
	lo, hi := s.Interval()
	return json.Marshal(struct {
		K     int    `json:"k"`
		N     int    `json:"n"`
		Share number `json:"share"`
		Low   number `json:"low"`
		High  number `json:"high"`
	}{s.K, s.N, number(s.Value()), number(lo), number(hi)})
}

// number is null in JSON where there is none.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// Float is n as the language knows it.
func (n number) Float() float64 { return float64(n) }
