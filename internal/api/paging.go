package api

import (
	"slices"
	"strings"

	"atrium/internal/fail"
)

// Paging is embedded in the input of every list.
type Paging struct {
	Page     int    `query:"page" minimum:"1" maximum:"1000000" default:"1" doc:"Page to answer, from 1."`
	PageSize int    `query:"page_size" minimum:"1" maximum:"200" default:"20" doc:"Items a page."`
	Sort     string `query:"sort" default:"-created_on" maxLength:"64" doc:"Field to order by; a leading minus turns it round."`
	Search   string `query:"search" maxLength:"200" doc:"Text that the name or description holds, whatever the case."`
}

// LongPaging is Paging for lists whose shape real programs take whole.
type LongPaging struct {
	Page     int    `query:"page" minimum:"1" maximum:"1000000" default:"1" doc:"Page to answer, from 1."`
	PageSize int    `query:"page_size" minimum:"1" maximum:"200" default:"200" doc:"Items a page."`
	Sort     string `query:"sort" default:"-created_on" maxLength:"64" doc:"Field to order by; a leading minus turns it round."`
	Search   string `query:"search" maxLength:"200" doc:"Text that the name or title holds, whatever the case."`
}

func (p *Paging) paging() *Paging { return p }

func (p *LongPaging) paging() *Paging { return (*Paging)(p) }

// Slice is the page asked for.
func (p *LongPaging) Slice() Paging { return Paging(*p) }

func (p *Paging) count(total int) Pagination {
	return Pagination{Page: p.Page, PageSize: p.PageSize, Total: total, TotalPages: (total + p.PageSize - 1) / p.PageSize}
}

// Limit and Offset are the page as SQL wants it.
func (p Paging) Limit() int { return p.PageSize }

// Offset is how many items stand before the page.
func (p Paging) Offset() int { return (p.Page - 1) * p.PageSize }

// Order is the ORDER BY clause for the field asked for: columns maps the fields
// that may be sorted by to their columns; ties go by id, in the same direction.
func (p Paging) Order(columns map[string]string, id string) (string, error) {
	field, dir := strings.TrimPrefix(p.Sort, "-"), "ASC"
	if strings.HasPrefix(p.Sort, "-") {
		dir = "DESC"
	}
	col, ok := columns[field]
	if !ok {
		names := make([]string, 0, len(columns))
		for n := range columns {
			names = append(names, n)
		}
		slices.Sort(names)
		return "", fail.InvalidField("sort", "sort: %q is not a field to sort by; use one of %s", p.Sort, strings.Join(names, ", "))
	}
	return col + " " + dir + ", " + id + " " + dir, nil
}
