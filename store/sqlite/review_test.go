package sqlite

import (
	"testing"

	"sluice/store/storetest"
)

func TestReviews(t *testing.T) {
	storetest.RunReviews(t, func(t *testing.T) storetest.ReviewStore { return open(t, Config{}) })
}
