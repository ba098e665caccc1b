package term

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"sluice/live"
)

// Picture draws snapshots for a terminal.
type Picture struct {
	Paint Paint
	UTF8  bool   // else ASCII only
	Where string // what is looked at, for the first line
}

// wide is the width from which on tables stand side by side.
const wide = 132

// narrow is the least width that is drawn; a smaller terminal cuts lines.
const narrow = 60

// Draw fills width × height with a snapshot; with height 0, it takes the lines that it
// needs. trouble is what keeps newer ones from coming.
func (p Picture) Draw(s live.Snapshot, width, height int, trouble string) []string {
	width = max(width, narrow)
	out := []string{p.title(s, width)}
	if trouble != "" {
		out = append(out, p.Paint.In("31;1", fit("no newer figures: "+Plain(trouble, 300), width)))
	}
	out = append(out, p.phases(s, width)...)
	out = append(out, p.scanners(s, width)...)
	out = append(out, "")
	out = append(out, p.rates(s, width)...)
	rows := 10 // of a table
	room := height - len(out)
	if width >= wide {
		half := (width - 3) / 2
		if height > 0 {
			rows = max((room-4)/2, 1) // each head has an empty line before it
		}
		left, right := p.refusals(s, half, rows), p.networks(s, width-3-half, rows)
		out = append(append(out, ""), beside(left, right, half)...)
		rows = max(height-len(out)-2, rows)
		out = append(append(out, ""), p.dialects(s, width, rows)...)
	} else {
		// 80×24 has three rows for each table; what is over goes to the first.
		each := [3]int{rows, rows, rows}
		if height > 0 {
			n := max(room-6, 3)
			each = [3]int{n - 2*(n/3), n / 3, n / 3}
		}
		out = append(append(out, ""), p.refusals(s, width, each[0])...)
		out = append(append(out, ""), p.networks(s, width, each[1])...)
		out = append(append(out, ""), p.dialects(s, width, each[2])...)
	}
	if height > 0 {
		out = out[:min(len(out), height)]
	}
	for i := range out {
		out[i] = strings.TrimRight(out[i], " ")
	}
	return out
}

func (p Picture) title(s live.Snapshot, width int) string {
	left := strings.TrimSpace("sluice " + Plain(p.Where, 60))
	left += fmt.Sprintf("  up %s  %d connected", s.Uptime(), s.Open())
	right := s.Time.UTC().Format("2006-01-02 15:04:05 UTC")
	gap := width - utf8.RuneCountInString(left) - len(right)
	if gap < 2 {
		return p.Paint.Bold(fit(left, width))
	}
	return p.Paint.Bold(left) + strings.Repeat(" ", gap) + p.Paint.Dim(right)
}

// phases are the sessions now, in as few lines as they need.
func (p Picture) phases(s live.Snapshot, width int) []string {
	var lines []string
	var line strings.Builder
	used := 0
	for _, x := range s.Sessions {
		cell := fmt.Sprintf("%s %d", x.Phase, x.N)
		if used > 0 && used+2+len(cell) > width {
			lines = append(lines, line.String())
			line.Reset()
			used = 0
		}
		if used > 0 {
			line.WriteString("  ")
			used += 2
		}
		used += len(cell)
		if x.N == 0 {
			cell = p.Paint.Dim(cell)
		}
		line.WriteString(cell)
	}
	return append(lines, line.String())
}

// rates are averages at the left, and the last hour as sparks at the right.
func (p Picture) rates(s live.Snapshot, width int) []string {
	const cells = 36
	room := width - cells - 2
	shown := min(60, room-8) // minutes; behind them is the peak
	caption := fmt.Sprintf("%-12s%8s%8s%8s", "per second", "1 s", "5 s", "60 s")
	if words := fmt.Sprintf("  last %d minutes, and the peak", shown); shown >= 10 && len(words) <= room {
		caption += words
	}
	out := []string{p.Paint.Dim(caption)}
	row := func(name string, pick func(live.Rate) float64, minutes []uint32, code string) {
		line := fmt.Sprintf("%-12s", name)
		for i := range 3 {
			v := 0.0
			if i < len(s.Rates) {
				v = pick(s.Rates[i])
			}
			line += fmt.Sprintf("%8s", figure(v))
		}
		if shown >= 10 {
			most := uint32(0)
			minutes = last(minutes, shown)
			for _, n := range minutes {
				most = max(most, n)
			}
			line += "  " + p.Paint.In(code, p.sparks(minutes, most)) + p.Paint.Dim(fmt.Sprintf(" %d", most))
		}
		out = append(out, line)
	}
	m := s.Minutes
	row("connections", func(r live.Rate) float64 { return r.Connections }, m.Connections, "36")
	row("refused", func(r live.Rate) float64 { return r.Refused }, m.Refused, "31")
	row("messages", func(r live.Rate) float64 { return r.Messages }, sum(m.Accepted, m.Tagged, m.Quarantined, m.Rejected), "35")
	row("accepted", func(r live.Rate) float64 { return r.Accepted }, sum(m.Accepted, m.Tagged), "32")
	return out
}

func last[T any](list []T, n int) []T { return list[max(0, len(list)-n):] }

func sum(lists ...[]uint32) []uint32 {
	n := math.MaxInt
	for _, l := range lists {
		n = min(n, len(l))
	}
	out := make([]uint32, n)
	for _, l := range lists {
		for i, v := range last(l, n) {
			out[i] += v
		}
	}
	return out
}

const (
	sparksUTF8  = " ▁▂▃▄▅▆▇█"
	sparksASCII = " .:-=+*#@"
)

// sparks are counts as heights; only 0 is empty.
func (p Picture) sparks(counts []uint32, most uint32) string {
	levels := []rune(sparksASCII)
	if p.UTF8 {
		levels = []rune(sparksUTF8)
	}
	out := make([]rune, len(counts))
	for i, n := range counts {
		level := 0
		if n > 0 {
			level = max(1, int(uint64(n)*uint64(len(levels)-1)/uint64(most)))
		}
		out[i] = levels[level]
	}
	return string(out)
}

func (p Picture) refusals(s live.Snapshot, width, rows int) []string {
	out := []string{p.head(fmt.Sprintf("%-*s%7s%7s%8s%8s", width-30, "REFUSED, BY REASON", "/min", "share", "hour", "day"))}
	var all uint64
	for i := range s.Refusals {
		all += uint64(s.Refusals[i].Minute)
	}
	for _, r := range s.Refusals[:min(len(s.Refusals), rows)] {
		words := Plain(string(r.Reason), 40)
		if r.Words != "" {
			words += "  " + Plain(r.Words, 100)
		}
		share := "-"
		if all > 0 {
			share = percent(float64(r.Minute) / float64(all))
		}
		out = append(out, fmt.Sprintf("%s%7d%7s%8d%8d", pad(p.plain(words), width-30), r.Minute, share, r.Hour, r.Day))
	}
	return p.none(out, "nothing in the last day")
}

func (p Picture) networks(s live.Snapshot, width, rows int) []string {
	out := []string{p.head(fmt.Sprintf("%-*s%8s%9s%10s  %-9s", width-38, "NETWORKS", "/min", "refused", "sessions", "ban"))}
	for _, n := range s.Networks[:min(len(s.Networks), rows)] {
		name := n.Network.String()
		if n.Why != "" {
			name += "  " + Plain(string(n.Why), 40)
		}
		ban := ""
		switch {
		case n.Banned:
			ban = "banned"
		case n.Bans > 0:
			ban = fmt.Sprintf("%d inside", n.Bans)
		}
		out = append(out, fmt.Sprintf("%s%8s%9s%10d  %s", pad(p.plain(name), width-38), figure(n.Sessions), percent(n.Share), n.Total,
			p.Paint.In("31;1", fit(ban, 9))))
	}
	return p.none(out, "nobody has come yet")
}

func (p Picture) dialects(s live.Snapshot, width, rows int) []string {
	out := []string{p.head(fmt.Sprintf("%-*s%8s%9s%9s", width-26, "DIALECTS", "/min", "refused", "P(bad)"))}
	for _, d := range s.Dialects[:min(len(s.Dialects), rows)] {
		words := d.Words
		if words == "" {
			words = "silent " + d.ID
		}
		bad := "?"
		if d.Known {
			bad = fmt.Sprintf("%.3f", min(d.Bad, 0.999)) // never certain
		}
		bad = fmt.Sprintf("%9s", bad)
		switch {
		case d.Known && d.Bad >= 0.9:
			bad = p.Paint.In("31", bad)
		case d.Known && d.Bad <= 0.1:
			bad = p.Paint.In("32", bad)
		}
		out = append(out, fmt.Sprintf("%s%8s%9s%s", pad(p.plain(Plain(words, 300)), width-26), figure(d.Sessions), percent(d.Share), bad))
	}
	return p.none(out, "no session has ended yet")
}

func (p Picture) head(s string) string { return p.Paint.In("7", s) }

// none says that a table has no rows.
func (p Picture) none(table []string, words string) []string {
	if len(table) == 1 {
		return append(table, p.Paint.Dim(words))
	}
	return table
}

// plain drops what the terminal can't show.
func (p Picture) plain(s string) string {
	if p.UTF8 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, s)
}

// beside puts two tables side by side; width is that of the left one.
func beside(left, right []string, width int) []string {
	out := make([]string, max(len(left), len(right)))
	for i := range out {
		l, r := "", ""
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		out[i] = l + strings.Repeat(" ", max(width-visible(l), 0)) + "   " + r
	}
	return out
}

// visible is the width of painted text.
func visible(s string) (n int) {
	for s != "" {
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			_, s, _ = strings.Cut(rest, "m")
			continue
		}
		_, size := utf8.DecodeRuneInString(s)
		n, s = n+1, s[size:]
	}
	return n
}

// fit cuts text to a width.
func fit(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	r := []rune(s)
	return string(r[:max(width-1, 0)]) + "~"
}

// pad is fit, filled up, with a space at the end where the text was cut.
func pad(s string, width int) string {
	s = fit(s, width-1)
	return s + strings.Repeat(" ", width-utf8.RuneCountInString(s))
}

// figure prints a rate in up to six places.
func figure(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.1f", v)
	case v < 100_000:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.0fk", v/1000)
}

func percent(f float64) string { return fmt.Sprintf("%.0f%%", 100*f) }
