package rules

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"sluice"
)

// Limits of rules. A unit of cost is about a nanosecond of a slow processor in the
// worst case; what a rule costs for real mail is a thousandth of it.
const (
	maxRules   = 500
	maxWhen    = 4000        // octets of an expression
	maxNodes   = 300         // of its tree
	maxPoints  = 6.0         // of a judged soft reason
	maxWhy     = 300         // octets
	maxPattern = 500         // octets of a regular expression
	maxInst    = 400         // its program
	maxProgram = 4000        // all programs of one rule: they take time to make
	ruleBudget = 100_000_000 // units of one rule
	setBudget  = 1_000_000_000
	memory     = 100_000 // elements that the machine may make: none that passes makes any
)

// Compile checks rules and makes a set of those without a fault. What isn't in the
// set is among the problems, one for each rule, in order.
func Compile(list []Rule) (*Set, []Problem) {
	s := &Set{patterns: patterns{}}
	for i := range s.uses {
		s.uses[i] = map[string]bool{}
	}
	var problems []Problem
	seen, total := map[string]bool{}, 0
	for i, r := range list {
		c := compiler{rule: r, patterns: patterns{}, uses: map[string]bool{}}
		err := c.compile(i, seen)
		switch {
		case err != nil:
		case len(s.all) >= maxRules:
			err = c.fault("there are more than %d rules", maxRules)
		case total+c.cost > setBudget:
			err = c.fault("all rules together could take too long over one message: this one is worth %d %% of what there is, and %d %% are taken", percent(c.cost, setBudget), percent(total, setBudget))
		}
		if err != nil {
			problems = append(problems, *err)
			continue
		}
		total += c.cost
		seen[r.Name] = true
		s.add(&c)
	}
	return s, problems
}

func percent(n, of int) int { return int(math.Ceil(100 * float64(n) / float64(of))) }

func (s *Set) add(c *compiler) {
	r := &rule{Rule: c.rule, program: c.program}
	s.all = append(s.all, r)
	s.phases[r.Phase] = append(s.phases[r.Phase], r)
	for name := range c.uses {
		s.uses[r.Phase][name] = true
	}
	for p, re := range c.patterns {
		s.patterns[p] = re
	}
}

// compiler makes one rule.
type compiler struct {
	rule     Rule
	program  *vm.Program
	cost     int
	nodes    int
	programs int // instructions of regular expressions
	earliest sluice.Phase
	uses     map[string]bool
	patterns patterns
}

var nameShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$`)

// fault is a problem that has no place in the expression.
func (c *compiler) fault(format string, args ...any) *Problem {
	return &Problem{Rule: c.rule.Name, What: fmt.Sprintf(format, args...)}
}

func (c *compiler) compile(i int, seen map[string]bool) *Problem {
	r := &c.rule
	named := nameShape.MatchString(r.Name)
	if !named {
		bad := clip(r.Name, 60)
		r.Name = "rule " + strconv.Itoa(i+1)
		return c.fault("the name %q is not of letters, digits, \"-\" and \"_\", at most 50", bad)
	}
	switch {
	case seen[r.Name]:
		return c.fault("another rule has this name")
	case !(math.Abs(r.Points) <= maxPoints): // NaN too
		return c.fault("points are %v; they go from -6 to 6", r.Points)
	case r.Points == 0:
		return c.fault("points are 0, so the rule says nothing; use dry_run to try one")
	case len(r.Why) > maxWhy || strings.TrimSpace(r.Why) == "":
		return c.fault("why must be a sentence of at most %d octets", maxWhy)
	case strings.TrimSpace(r.When) == "":
		return c.fault("when is empty")
	case len(r.When) > maxWhen:
		return c.fault("when has %d octets; %d are the most", len(r.When), maxWhen)
	}
	if err := c.expression(); err != nil {
		return c.problem(err)
	}
	return c.phase()
}

// phase takes the earliest phase, or checks the given one.
func (c *compiler) phase() *Problem {
	earliest := max(c.earliest, sluice.PhaseConnect)
	if c.rule.Tenant != "" {
		earliest = sluice.PhaseMessage // before, it isn't sure whose the message is
	}
	if c.rule.Phase == 0 {
		c.rule.Phase = earliest
	}
	switch p := c.rule.Phase; {
	case !slices.Contains(phases, p):
		return c.fault("the phase %q is none of connect, hello, mail and message", p)
	case p < earliest:
		return c.fault("the phase is %s, but what the rule names is known at %s only", p, earliest)
	}
	return nil
}

// allowed are the functions of the language that are left: none that builds data or
// reads the clock.
var allowed = map[string]bool{"len": true, "trim": true, "abs": true, "min": true, "max": true, "hasPrefix": true, "hasSuffix": true}

// options are how expressions are compiled.
func options() []expr.Option {
	out := []expr.Option{expr.Env(&Env{}), expr.AsBool(), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins()}
	for name := range allowed {
		out = append(out, expr.EnableBuiltin(name))
	}
	return out
}

// expression parses, checks and compiles When. A panic of the library is a fault of
// the rule.
func (c *compiler) expression() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &placed{what: fmt.Sprintf("it can't be read (%v)", p)}
		}
	}()
	cfg := conf.New(&Env{})
	cfg.MaxNodes = maxNodes
	for name := range cfg.Builtins {
		if !allowed[name] {
			delete(cfg.Builtins, name)
		}
	}
	tree, err := parser.ParseWithConfig(c.rule.When, cfg)
	if err != nil {
		return err
	}
	if _, err := c.weigh(tree.Node); err != nil {
		return err
	}
	if c.cost > ruleBudget {
		return &placed{what: fmt.Sprintf("it could take too long over one message (%d times what a rule may)", (c.cost+ruleBudget-1)/ruleBudget),
			example: "a shorter regular expression, or words(message.text, …), or another field than message.text"}
	}
	c.program, err = expr.Compile(c.rule.When, options()...)
	return err
}

// placed is a fault at a place of the expression.
type placed struct {
	node          ast.Node
	what, example string
}

func (p *placed) Error() string { return p.what }

// problem says an error in words.
func (c *compiler) problem(err error) *Problem {
	out := &Problem{Rule: c.rule.Name, What: err.Error()}
	var p *placed
	var f *file.Error
	switch {
	case errors.As(err, &p):
		out.Example = p.example
		if p.node != nil {
			f = &file.Error{Location: p.node.Location()}
			f = f.Bind(file.NewSource(c.rule.When))
			out.Line, out.Column = f.Line, f.Column+1
		}
	case errors.As(err, &f):
		out.What, out.Line, out.Column = f.Message, f.Line, f.Column+1
	}
	if p == nil {
		out.Example = hint(out.What)
	}
	out.What = clip(strings.ReplaceAll(out.What, "\n", " "), 400)
	return out
}

// hint knows how common mistakes are meant.
func hint(message string) string {
	switch {
	case strings.Contains(message, "expected bool"):
		return `conn.country == "XX"`
	case strings.Contains(message, "mismatched types"):
		return `message.size > 100000 and message.from_domain == "example.com"`
	case strings.Contains(message, "unexpected token Operator(\"=\")"):
		return `message.subject == "hello"`
	case strings.Contains(message, "unexpected token"), strings.Contains(message, "unclosed"), strings.Contains(message, "literal not terminated"):
		return `message.subject contains "invoice" and not auth.aligned`
	}
	return ""
}

// size is what a value can be at most.
type size struct {
	octets int // of a text, or of a list's texts together
	list   bool
	value  any // of a constant
}

// weigh walks a tree, refuses what isn't allowed, adds what it can cost, and says how
// large its value can be. The parser has bounded its depth by the number of nodes.
func (c *compiler) weigh(n ast.Node) (size, error) {
	c.cost += 100
	if c.nodes++; c.nodes > maxNodes {
		return size{}, &placed{n, fmt.Sprintf("it is too long: more than %d parts", maxNodes), "two rules"}
	}
	switch n := n.(type) {
	case *ast.BoolNode, *ast.FloatNode:
		return size{}, nil
	case *ast.IntegerNode:
		return size{value: n.Value}, nil
	case *ast.StringNode:
		return size{octets: len(n.Value), value: n.Value}, nil
	case *ast.IdentifierNode, *ast.MemberNode:
		return c.field(n)
	case *ast.UnaryNode:
		_, err := c.weigh(n.Node)
		return size{}, err
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		sizes, err := c.weighAll([]ast.Node{n.Cond, n.Exp1, n.Exp2})
		if err != nil {
			return size{}, err
		}
		return size{octets: max(sizes[1].octets, sizes[2].octets), list: sizes[1].list || sizes[2].list}, nil
	case *ast.ArrayNode:
		sizes, err := c.weighAll(n.Nodes)
		out := size{list: true}
		for _, s := range sizes {
			out.octets += s.octets + 16
		}
		return out, err
	case *ast.BuiltinNode:
		return c.builtin(n)
	case *ast.CallNode:
		return c.call(n)
	}
	return size{}, &placed{n, "rules have no " + construct(n), `any_under(message.link_domains, "example.com"), any_matches(message.attachments, "(?i)\\.exe$")`}
}

func (c *compiler) weighAll(list []ast.Node) (out []size, err error) {
	for _, n := range list {
		s, err := c.weigh(n)
		if err != nil {
			return out, err
		}
		out = append(out, s)
	}
	return out, nil
}

// construct names what a rule may not have.
func construct(n ast.Node) string {
	switch n.(type) {
	case *ast.PredicateNode, *ast.PointerNode:
		return "loops over lists"
	case *ast.VariableDeclaratorNode:
		return "variables"
	case *ast.SequenceNode:
		return "sequences of expressions"
	case *ast.MapNode, *ast.PairNode:
		return "maps"
	case *ast.SliceNode:
		return "slices"
	case *ast.ChainNode:
		return "optional chains: every field is there"
	case *ast.NilNode:
		return "nil: every field has a value, empty or 0 where nothing is known"
	}
	return strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", n), "*ast."), "Node")
}

// field resolves a name of the environment.
func (c *compiler) field(n ast.Node) (size, error) {
	path, err := names(n)
	if err != nil {
		return size{}, err
	}
	full := strings.Join(path, ".")
	f, ok := fields[full]
	switch {
	case !ok:
		return size{}, &placed{n, fmt.Sprintf("there is no %q", clip(full, 80)), nearest(full)}
	case f.Type.Kind() == reflect.Func:
		return size{}, &placed{n, fmt.Sprintf("%q is a function", full), f.example}
	case f.Type.Kind() == reflect.Struct:
		return size{}, &placed{n, fmt.Sprintf("%q is not a value", full), firstOf(full)}
	}
	c.uses[full] = true
	c.earliest = max(c.earliest, f.from)
	return size{octets: f.max, list: f.Type.Kind() == reflect.Slice}, nil
}

// names takes conn.address apart.
func names(n ast.Node) ([]string, error) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return []string{n.Value}, nil
	case *ast.MemberNode:
		id, ok := n.Node.(*ast.IdentifierNode)
		prop, constant := n.Property.(*ast.StringNode)
		if ok && constant && !n.Optional {
			return []string{id.Value, prop.Value}, nil
		}
		return nil, &placed{n, "lists have no index, and fields no computed name", `"ann@example.com" in envelope.to`}
	}
	return nil, &placed{n, "this is no field", "message.subject"}
}

// operators that a rule may use, and what they cost for each octet of the left side.
var operators = map[string]int{
	"and": 0, "&&": 0, "or": 0, "||": 0, "+": 0, "-": 0, "*": 0,
	"==": 1, "!=": 1, "<": 1, ">": 1, "<=": 1, ">=": 1,
	"contains": 2, "startsWith": 1, "endsWith": 1, "in": 2, "matches": 0, "..": 0,
}

// maxRange is the most numbers of a range.
const maxRange = 1000

func (c *compiler) binary(n *ast.BinaryNode) (size, error) {
	each, ok := operators[n.Operator]
	if !ok {
		return size{}, &placed{n, fmt.Sprintf("rules have no operator %q", n.Operator), "message.size > 2 * 1000000"}
	}
	sizes, err := c.weighAll([]ast.Node{n.Left, n.Right})
	if err != nil {
		return size{}, err
	}
	left, right := sizes[0], sizes[1]
	switch n.Operator {
	case "+":
		if left.octets > 0 || right.octets > 0 || left.list || right.list {
			return size{}, &placed{n, "texts can't be put together", `message.subject contains "a" or message.text contains "a"`}
		}
	case "..":
		from, ok1 := left.value.(int)
		to, ok2 := right.value.(int)
		if !ok1 || !ok2 || to < from || to-from > maxRange || from < -maxRange || to > 1<<30 {
			return size{}, &placed{n, fmt.Sprintf("a range goes between two numbers, at most %d apart", maxRange), "time.hour in 8..17"}
		}
		return size{list: true, octets: 8 * (to - from + 1)}, nil
	case "matches":
		return size{}, c.match(n.Right, left, right)
	case "contains":
		if right.octets > 2*maxHeader {
			return size{}, &placed{n, "what is looked for may be long itself", `message.text contains "a word"`}
		}
		// The search falls back to a rolling hash: linear, whatever both hold.
		c.cost += each * right.octets
	}
	c.cost += each * (left.octets + 8*boolInt(n.Operator == "in")*right.octets)
	return size{}, nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// stepCost is what one instruction of a regular expression costs for an octet, when
// all of its threads are alive.
const stepCost = 20

// match weighs a regular expression over a text or list.
func (c *compiler) match(at ast.Node, over, pattern size) error {
	p, ok := pattern.value.(string)
	if !ok {
		return &placed{at, "a regular expression must be written out, not computed", `message.subject matches "(?i)invoice [0-9]+"`}
	}
	inst, err := program(p)
	if err != nil {
		return &placed{at, err.Error(), `message.subject matches "(?i)invoice [0-9]+"`}
	}
	if c.programs += inst; c.programs > maxProgram {
		return &placed{at, "the regular expressions of this rule are too large together", "two rules"}
	}
	c.cost += stepCost * inst * (over.octets + maxList*boolInt(over.list))
	return nil
}

// program counts the instructions of a regular expression, without making those of
// one that is too large.
func program(p string) (int, error) {
	if len(p) > maxPattern {
		return 0, fmt.Errorf("the regular expression has %d octets; %d are the most", len(p), maxPattern)
	}
	re, err := syntax.Parse(p, syntax.Perl)
	if err != nil {
		return 0, fmt.Errorf("the regular expression is wrong: %w", err)
	}
	if n := instructions(re); n > maxInst {
		return 0, errors.New("the regular expression is too large; repetitions such as {100} multiply it")
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0, fmt.Errorf("the regular expression is wrong: %w", err)
	}
	return len(prog.Inst), nil
}

// instructions is an estimate from above. The parser bounds the depth (1000) and
// the repetitions (1000).
func instructions(re *syntax.Regexp) int {
	n := 1
	if re.Op == syntax.OpLiteral {
		n = len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += instructions(sub) + 1
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Max, re.Min, 1)
	}
	return min(n, 1<<20)
}

func (c *compiler) builtin(n *ast.BuiltinNode) (size, error) {
	if !allowed[n.Name] {
		return size{}, &placed{n, fmt.Sprintf("rules have no function %q", n.Name), cmp.Or(nearest(n.Name), `any_matches(message.attachments, "(?i)\\.exe$")`)}
	}
	sizes, err := c.weighAll(n.Arguments)
	if err != nil {
		return size{}, err
	}
	out := size{}
	for _, s := range sizes {
		c.cost += 2 * s.octets
		if n.Name == "trim" {
			out.octets = max(out.octets, s.octets)
		}
		if s.list && n.Name != "len" {
			return size{}, &placed{n, fmt.Sprintf("%s takes no list", n.Name), "len(envelope.to) > 10"}
		}
	}
	return out, nil
}

// call weighs a call of a function of the environment.
func (c *compiler) call(n *ast.CallNode) (size, error) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return size{}, &placed{n, "only functions can be called", "lower(message.subject)"}
	}
	f, ok := fields[id.Value]
	if !ok || f.Type.Kind() != reflect.Func {
		return size{}, &placed{n, fmt.Sprintf("there is no function %q", clip(id.Value, 80)), nearest(id.Value)}
	}
	if len(n.Arguments) < f.Type.NumIn()-boolInt(f.Type.IsVariadic()) || len(n.Arguments) == 0 {
		return size{}, &placed{n, fmt.Sprintf("%s needs more: %s(%s)", f.name, f.name, f.args), f.example}
	}
	sizes, err := c.weighAll(n.Arguments)
	if err != nil {
		return size{}, err
	}
	c.earliest = max(c.earliest, f.from)
	first := sizes[0]
	out := size{octets: f.max}
	switch id.Value {
	case "header":
		if _, ok := first.value.(string); !ok {
			return size{}, &placed{n.Arguments[0], "the name of a field must be written out", f.example}
		}
		c.cost += 200_000 // a message may have 5000 fields
	case "lower":
		c.cost += 10 * first.octets
		out.octets = first.octets * 3 / 2 // some letters are longer in lower case
	case "any_matches":
		if len(sizes) != 2 {
			return size{}, &placed{n, "any_matches needs a list and a regular expression", f.example}
		}
		if err := c.match(n.Arguments[1], size{octets: first.octets, list: true}, sizes[1]); err != nil {
			return size{}, err
		}
		p := sizes[1].value.(string)
		re, err := regexp.Compile(p)
		if err != nil {
			return size{}, &placed{n.Arguments[1], err.Error(), f.example}
		}
		c.patterns[p] = re
	case "under", "any_under", "words", "in_network":
		return out, c.constants(id.Value, n, first, sizes)
	default:
		c.cost += 20 * first.octets
	}
	return out, nil
}

// constants checks the written-out arguments of a function.
func (c *compiler) constants(name string, n *ast.CallNode, first size, sizes []size) error {
	if len(sizes) < 2 {
		return &placed{n, name + " needs something to compare with", fields[name].example}
	}
	if name == "words" {
		c.cost += 10 * first.octets // lower case
	}
	for i, s := range sizes[1:] {
		v, ok := s.value.(string)
		if !ok || strings.TrimSpace(v) == "" || v != strings.TrimSpace(v) || len(v) > 200 {
			return &placed{n.Arguments[i+1], "this must be written out, without spaces around it", fields[name].example}
		}
		switch name {
		case "in_network":
			p, err := parseNetwork(v)
			if err != nil || p != p.Masked() {
				return &placed{n.Arguments[i+1], fmt.Sprintf("%q is no network", v), fields[name].example}
			}
			c.cost += 500
		case "words":
			c.cost += (2 + 8*len(strings.Fields(v))) * first.octets
		default:
			if strings.ContainsAny(v, "@*/ ") || strings.HasPrefix(v, ".") || strings.HasSuffix(v, ".") {
				return &placed{n.Arguments[i+1], fmt.Sprintf("%q is no domain; those below it count by themselves", v), fields[name].example}
			}
			c.cost += 50 + 50*maxList*boolInt(first.list)
		}
	}
	return nil
}
