// Package scheduling is Anki's third scheduler as pure functions: what day it
// is, which cards are due and in which order, what each of the four buttons
// would do to a card, and what has to be written once one is pressed.
//
// Everything here is a computation on values. The package reads no clock, no
// file and no database: the caller passes the time, the rows and the settings
// in, and gets back the new rows ("what to write"). It may import schema, for
// the deck and preset messages it is configured from, and must never know SQL,
// HTTP, users or files.
//
// The entry points are
//
//   - [TimingFor]: the day number and the next rollover
//     (docs/collection-format.md §9);
//   - [New], which looks at one card, [Session.States] and [Session.Labels] for
//     the buttons, and [Session.Answer] for the answer
//     (docs/scheduling-and-rendering.md §3, §4);
//   - [BuildQueue], the order in which the cards of a deck are studied, and
//     [CountDecks], the numbers of the deck list (§2);
//   - [Forget], [SetDueDate], [Reposition], [Suspend] and their kin: the
//     changes that are made without answering.
//
// Arithmetic follows the reference to the last bit: it is done in float32, in
// the same order, and every product is rounded explicitly so that no platform
// fuses it into the sum that follows. Review fuzz comes from the same
// generator with the same seed, so that a card answered here and the same card
// answered by a desktop client on a copy land on the same day. (Clients with
// the load balancer switched on choose another day within the same bounds;
// both are legal.)
//
// Values from a collection are not trusted. Numbers outside the columns'
// ranges are clamped, broken data columns read as empty, presets are brought
// into range, and nothing in here panics or loops on them.
package scheduling
