package doctor

import (
	"context"
	"fmt"
	"strings"

	"sluice/cmd/sluice/build"
	"sluice/inspect/sandbox"
	"sluice/inspect/tools"
)

// tools looks for the programs that the settings ask for, compiles the rules, and says
// what holds the programs.
func (x *examiner) tools(ctx context.Context) []Finding {
	if x.cfg.Files.Off || x.cfg.Tools.Off() {
		return nil
	}
	bad := func(err error, fix string) []Finding {
		return []Finding{{What: "tools", Level: Bad, Text: "sluice serve would stop: " + strings.TrimPrefix(err.Error(), "inspect/tools: "), Fix: fix}}
	}
	c := build.ToolsConfig(x.cfg, x.log)
	p, err := tools.Find(ctx, &c)
	if err != nil {
		return bad(err, "install it, or take the setting out of [tools]")
	}
	text := strings.Join(p.Lines(&c), ", ")
	var out []Finding
	if len(c.Rules) > 0 {
		r, err := p.Compile(ctx, c.Rules)
		if err != nil {
			return bad(err, "correct the rule, or the file's name in tools.yara_rules; a running daemon keeps the rules that it has")
		}
		defer r.Close()
		text += "; rules of " + count(len(r.Files), "file") + " compile"
		if n := len(r.Warnings); n > 0 {
			out = append(out, Finding{What: "tools", Level: Warn, Text: fmt.Sprintf("%s of the rules' compiler, the first: %s", count(n, "warning"), r.Warnings[0]),
				Fix: "change the rule: what slows a scan may end it before its time"})
		}
	}
	first := Finding{What: "tools", Level: OK, Text: text + ", run without network, files and processes"}
	if layers := x.m.layers(); !sandbox.StrictTools(layers) {
		first.Level, first.Text = Warn, text+"; nothing keeps them from this machine's files"
		first.Fix = "run a kernel of 5.13 or later that starts with landlock in its lsm= list"
		if x.cfg.Files.Strict {
			first.Level, first.Text = Bad, text+"; files.strict is set, and nothing would keep them from this machine's files: they don't run"
		}
	}
	return append([]Finding{first}, out...)
}
