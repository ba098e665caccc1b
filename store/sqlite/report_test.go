package sqlite

import (
	"strings"
	"testing"

	"sluice/store/storetest"
)

func TestReports(t *testing.T) {
	storetest.RunReports(t, func(t *testing.T) storetest.ReportStore { return open(t, Config{}) })
}

// TestReportQueriesUseIndexes: none of the queries of every day walks a table.
func TestReportQueriesUseIndexes(t *testing.T) {
	s := open(t, Config{})
	for _, test := range []struct{ query, index string }{
		{`SELECT day, domain, messages FROM dmarc_day WHERE settled = 0 AND day < 5 ORDER BY day, messages DESC, domain LIMIT 9`, "dmarc_day_due"},
		{`SELECT coalesce(sum(passed), 0) FROM dmarc_day WHERE domain = 'x' AND day >= 5`, "dmarc_day_by_domain"},
		{`SELECT document FROM report ORDER BY time DESC, seq DESC LIMIT 9`, "report_by_time"},
	} {
		var plan, detail string
		var a, b, c int
		rows, err := s.read.Query(`EXPLAIN QUERY PLAN ` + test.query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			if err := rows.Scan(&a, &b, &c, &detail); err != nil {
				t.Fatal(err)
			}
			plan += detail + "; "
		}
		_ = rows.Close()
		if !strings.Contains(plan, test.index) || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("%s: %s", test.query, plan)
		}
	}
}
