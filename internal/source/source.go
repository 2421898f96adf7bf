// Package source is where documents come from when nobody uploads them: a web
// site, a sitemap; later a drive, a mailbox or a bucket.
//
// A source is walked: Start names the first items, and Visit gets one item under
// conditions and tells which others it leads to. A page leads to the pages it
// links, a sitemap to its addresses, a folder to its files, a mailbox to its
// messages, a listing of a bucket to its objects and to the listing's next part.
// The caller keeps the items that are still to be visited and what was seen of
// each, so a walk can be broken off and taken up again anywhere.
package source

import (
	"context"
	"io"
)

// Item is one thing that a source has led to.
type Item struct {
	// Key names the item in its source for ever, such as its address or its id.
	Key   string `json:"key"`
	Depth int    `json:"depth,omitempty"` // steps from the start
	// Listed is what a listing said of the item's version: an etag, a time of
	// change, a change token. Empty when it said nothing.
	Listed string `json:"listed,omitempty"`
	// Listing: the item only leads to others, as a sitemap or a folder does.
	Listing bool `json:"listing,omitempty"`
	// Pinned: the item is taken as it is, even if it says that another stands for it.
	Pinned bool `json:"pinned,omitempty"`
	// Removed: a listing of changes says that the item is gone; it is not visited.
	Removed bool `json:"removed,omitempty"`
}

// Mark is what is remembered of an item's last visit; zero before the first.
type Mark struct {
	ETag         string
	LastModified string
	Listed       string // Item.Listed, when that version was the one fetched
}

// Outcome is what a visit came to.
type Outcome string

// The outcomes of a visit.
const (
	Fetched   Outcome = "fetched"   // Content is what the item holds now
	Unchanged Outcome = "unchanged" // as it was at the mark; nothing was transferred
	Listing   Outcome = "listing"   // the item only leads to others
	Skipped   Outcome = "skipped"   // not to be taken, see Reason
	Gone      Outcome = "gone"      // it was there, or should be, and is not
)

// Content is what an item holds. Close Body.
type Content struct {
	Name      string // a file name, never empty
	MediaType string // with its charset, when said
	Body      io.ReadCloser
}

// Visit is what was found at an item.
type Visit struct {
	Outcome Outcome
	Reason  string // of Skipped and Gone, for people
	Content Content
	Mark    Mark
	// Leads are the items that it leads to. An unchanged item leads where it led
	// before, and says nothing here.
	Leads []Item
}

// Source is walked for its documents. An error of Start or Visit that may pass
// by itself, or that a person can act on, is a *fail.Error.
//
// Implementations pass the contract in package sourcetest.
type Source interface {
	Start(ctx context.Context) ([]Item, error)
	// Visit gets an item unless it is as it was at the mark. What is not there is
	// Gone, and no error.
	Visit(ctx context.Context, it Item, was Mark) (Visit, error)
}
