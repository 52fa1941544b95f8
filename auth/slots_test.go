package auth

import "testing"

// TestSlotsTidy: memory is given back when the last hash has ended, not between.
func TestSlotsTidy(t *testing.T) {
	tidied := make(chan bool, 10)
	s := newSlots(2)
	s.tidy = func() { tidied <- true }
	for range 2 {
		if err := s.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.release()
	if s.tidying.Load() || len(tidied) > 0 {
		t.Error("tidied while a hash is under way")
	}
	s.release()
	<-tidied // or the test's time runs out
}
