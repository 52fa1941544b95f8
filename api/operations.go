package api

import (
	"maps"

	"github.com/ankisyncd/ankisyncd/collection"
)

// operations are all calls by kind and name (docs/compat.md §6.2, §6.3).
var operations map[string]operation

func init() {
	addTags := operation{void: true, run: changeTags((*collection.Txn).AddNoteTags)}
	removeTags := operation{void: true, run: changeTags((*collection.Txn).RemoveNoteTags)}
	operations = map[string]operation{
		"collection/list_models":             {run: listModels},
		"collection/find_model_by_name":      {run: findModelByName},
		"collection/find_notes":              {run: findNotes},
		"collection/latest_notes":            {run: latest((*collection.Txn).LatestNotes, (*call).noteList)},
		"collection/add_note":                {run: addNote, void: true},
		"collection/list_tags":               {run: listTags},
		"collection/list_decks":              {run: listDecks},
		"collection/select_deck":             {run: selectDeck, void: true},
		"collection/create_dynamic_deck":     {run: createDynamicDeck},
		"collection/empty_dynamic_deck":      {run: emptyDynamicDeck},
		"collection/find_cards":              {run: findCards},
		"collection/latest_cards":            {run: latest((*collection.Txn).LatestCards, (*call).cardList)},
		"collection/reset_scheduler":         {run: resetScheduler},
		"collection/extend_scheduler_limits": {run: extendLimits},
		"collection/next_card":               {run: nextCard},
		"collection/answer_card":             {run: answerCard, void: true},
		"collection/suspend_cards":           {run: setSuspended((*collection.Txn).Suspend), void: true},
		"collection/unsuspend_cards":         {run: setSuspended((*collection.Txn).Unsuspend), void: true},
		"collection/cards_recent_ease":       {run: recentEase},
		"collection/latest_revlog":           {run: latestRevlog},
		"collection/stats_report":            {run: statsReport},
		"collection/set_language":            {run: setLanguage, void: true},
		"collection/import_file":             {run: importFile},

		"model/field_names": {run: fieldNames},

		"note/index":       {run: noteIndex},
		"note/update":      {run: noteUpdate},
		"note/delete":      {run: noteDelete},
		"note/add_tags":    addTags,
		"note/remove_tags": removeTags,

		"deck/index":           {run: deckIndex},
		"deck/next_card":       {run: nextCard},
		"deck/get_conf":        {run: deckGetConf},
		"deck/set_update_conf": {run: deckSetConf, void: true},

		"card/index":         {run: cardIndex},
		"card/stats_report":  {run: cardStats},
		"card/latest_revlog": {run: cardLatestRevlog},
		"card/add_tags":      addTags,
		"card/remove_tags":   removeTags,
	}
	maps.Copy(operations, additions)
}

// additions are the calls that the original did not have. What is wrong with them
// is told, also if there is no answer otherwise, and a key that is missing is a
// bad request.
var additions = map[string]operation{
	"collection/upgrade_scheduler": {run: upgradeScheduler},

	"collection/create_deck": {run: createDeck},
	"collection/deck_tree":   {run: deckTree},
	"collection/undo_answer": {run: undoAnswer},

	"collection/move_cards":   {run: editCards(moveCards)},
	"collection/bury_cards":   {run: editCards(simply((*collection.Txn).Bury))},
	"collection/unbury_cards": {run: editCards(simply((*collection.Txn).Unbury))},
	"collection/flag_cards":   {run: editCards(flagCards)},
	"collection/forget_cards": {run: editCards(forgetCards)},
	"collection/set_due_date": {run: editCards(setDueDate)},

	"collection/export_file": {run: exportFile},

	"collection/list_media": {run: listMedia},
	"media/delete":          {run: mediaDelete},

	"deck/rename":          {run: deckRename},
	"deck/set_description": {run: deckSetDescription},
	"deck/delete":          {run: deckDelete},
}
