package console

import (
	"net/http"

	"sluice/console/internal/chart"
	"sluice/console/internal/ledger"
	"sluice/live"

	"sluice/console/internal/web"
)

// What the tables of the page show.
const (
	liveReasons  = 25
	liveNetworks = 20
	liveDialects = 15
)

type livePage struct {
	layout
	S      live.Snapshot
	Hour   bool // the chart shows the last hour, else the last day
	Self   string
	Charts []chart.Chart
	Phases []phaseBar
	Now5   live.Rate // over five seconds
	Reason []reasonRow
	More   int // reasons not shown
}

type phaseBar struct {
	Name string
	N    int64
	W    float64 // hundredths of the width
}

type reasonRow struct {
	live.Refusal
	Share float64 // of the refusals of the last hour, 0 to 1
}

func (c *Console) live(w http.ResponseWriter, r *http.Request, v *visit) {
	now := c.cfg.Clock()
	p := livePage{layout: c.layout(r.Context(), v, "live", "Live"), S: c.cfg.Port.Live(now), Hour: r.FormValue("range") != "day", Self: "/live"}
	if !p.Hour {
		p.Self = "/live?range=day"
	}
	p.Charts = charts(p.S.Minutes, p.Hour)
	p.Phases = phaseBars(p.S)
	if len(p.S.Rates) > 1 {
		p.Now5 = p.S.Rates[1]
	}
	var all uint64
	for i := range p.S.Refusals {
		all += uint64(p.S.Refusals[i].Hour)
	}
	for _, x := range p.S.Refusals[:min(len(p.S.Refusals), liveReasons)] {
		p.Reason = append(p.Reason, reasonRow{x, float64(x.Hour) / float64(max(all, 1))})
	}
	p.More = len(p.S.Refusals) - len(p.Reason)
	p.S.Networks = p.S.Networks[:min(len(p.S.Networks), liveNetworks)]
	p.S.Dialects = p.S.Dialects[:min(len(p.S.Dialects), liveDialects)]
	c.render(w, http.StatusOK, "live", &p)
}

func phaseBars(s live.Snapshot) []phaseBar {
	most := int64(1)
	for _, x := range s.Sessions {
		most = max(most, x.N)
	}
	var out []phaseBar
	for _, x := range s.Sessions {
		out = append(out, phaseBar{x.Phase.String(), x.N, ledger.Round(100 * float64(x.N) / float64(most))})
	}
	return out
}

// apiLive is the snapshot; ?minutes=N cuts the series of minutes to the last N.
func (c *Console) apiLive(w http.ResponseWriter, r *http.Request, _ string) {
	s := c.cfg.Port.Live(c.cfg.Clock())
	if err := s.Cut(r.FormValue("minutes")); err != nil {
		web.JSONError(w, http.StatusBadRequest, err.Error())
		return
	}
	web.JSON(w, http.StatusOK, s)
}

// dayStep is how many minutes one step of the chart of a day has.
const dayStep = 10

// charts draw sessions, and messages stacked by what became of them: their numbers
// differ too much for one scale.
func charts(m live.Series, hour bool) []chart.Chart {
	n, step := 24*60, dayStep
	if hour {
		n, step = 60, 1
	}
	m = m.Last(n)
	sessions := []chart.Curve{chart.NewCurve("connections", "c-all", step, m.Connections), chart.NewCurve("refused before DATA", "c-refused", step, m.Refused)}
	messages := []chart.Curve{chart.NewCurve("accepted", "c-accept", step, m.Accepted, m.Tagged), chart.NewCurve("quarantined", "c-quarantine", step, m.Quarantined),
		chart.NewCurve("rejected at the dot", "c-reject", step, m.Rejected)}
	return []chart.Chart{chart.New("Sessions per minute", m.End, step, sessions, false), chart.New("Messages per minute", m.End, step, messages, true)}
}
