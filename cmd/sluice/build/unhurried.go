package build

import (
	"log/slog"

	"sluice/config"
	"sluice/dns"
	"sluice/gate"
)

// Unhurried is the judge of [Settings] with no check left out because it couldn't change
// the action any more, for those who ask what a message would get. It delivers nothing.
func Unhurried(cfg *config.Config, log *slog.Logger, r dns.Resolver, port *Port, mem *Memory, l *Learning, s *Scanners, sp *Speakers, pl *Places) (gate.Settings, error) {
	set, err := judge(cfg, log, false, known{l.Model, spoken{mem.Reputation}, s, sp, pl}, portChecks(cfg, port, mem)...)
	set.Learned, set.Verifier = l.Version, Verifier(cfg, r)
	return set, err
}
