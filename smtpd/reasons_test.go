package smtpd

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"sluice"
	"sluice/reason"
)

// Every violation has words in the catalogue, leads a refusal there, and has an
// answer of the door's own.
func TestReasonsAreInTheCatalogue(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(node ast.Node) bool {
		lit, ok := node.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING || lit.Value == `"sluice"` {
			return true
		}
		n++
		id, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		e, ok := reason.Lookup(id)
		if !ok || e.Code < 400 {
			t.Errorf("%s: in the catalogue %v, code %d", id, ok, e.Code)
		}
		switch kind := sluice.Reason(id); kind {
		case ChunkCutShort, CommandTimeout, DataTimeout, SessionTimeout, ShuttingDown, NoRoom: // nobody hears the first; the others are the driver's
		default:
			if rule, ok := violationRules[kind]; !ok || rule.reply.Code != e.Code {
				t.Errorf("%s: the door answers %d, the catalogue %d", id, rule.reply.Code, e.Code)
			}
		}
		return true
	})
	if n < 10 {
		t.Errorf("only %d reasons found", n)
	}
}
