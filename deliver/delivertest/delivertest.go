// Package delivertest holds the fakes and the conformance suites of the
// delivery room: a back end that misbehaves on request, and what every
// Deliverer, Quarantine and Outbox must do.
package delivertest
