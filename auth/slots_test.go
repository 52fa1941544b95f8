package auth

import "testing"

// TestSlotsEnded: memory is given back when the last hash has ended, not between.
func TestSlotsEnded(t *testing.T) {
	calls := 0
	s := newSlots(2, func() { calls++ })
	for range 2 {
		if err := s.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.release()
	if calls != 0 {
		t.Error("called while a hash is under way")
	}
	s.release()
	if calls != 1 {
		t.Error("called", calls, "times")
	}
}
