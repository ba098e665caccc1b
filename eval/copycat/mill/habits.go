package mill

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// own makes links to the sender itself.
func own(b *Brand, r *rand.Rand, path string) string {
	return "https://www." + b.Domain + path + "?utm_source=mail&id=" + token(r, 10)
}

// sub counts clicks at a name below the sender's domain.
func sub(name string) func(*Brand, *rand.Rand, string) string {
	return func(b *Brand, r *rand.Rand, path string) string {
		return "https://" + name + "." + b.Domain + "/" + token(r, 24) + path
	}
}

// service counts clicks at a host of the service, which has the customer's number.
func service(host string) func(*Brand, *rand.Rand, string) string {
	return func(b *Brand, r *rand.Rand, path string) string {
		return "https://" + strings.ReplaceAll(host, "#", fmt.Sprint(1000+b.id*7)) + "/ls/click?upn=" + token(r, 60)
	}
}

// rotating counts at one of many hosts of the service.
func rotating(b *Brand, r *rand.Rand, path string) string {
	return fmt.Sprintf("https://trk%d.ct.sendgrid.net/c/%s", r.IntN(500), token(r, 40))
}

// numbered counts at a registered domain that changes with each mailing.
func numbered(b *Brand, r *rand.Rand, path string) string {
	return fmt.Sprintf("https://click.%s-mail%d.com/x/%s", strings.Split(b.Domain, ".")[0], 1+r.IntN(3), token(r, 30))
}

func cdn(b *Brand, name string) string { return "https://cdn." + b.Domain + "/mail/" + name }

func hosted(host string) func(*Brand, string) string {
	return func(b *Brand, name string) string {
		return fmt.Sprintf("https://%s/%08x/images/%s", host, b.id*2654435761, name)
	}
}

// habits are those of twelve senders.
var habits = [12]Habit{
	{Name: "own site", Tracks: own, Pictures: cdn, Text: true, Encoding: "qp", Before: true, First: 0, Layouts: 5},
	{Name: "own counter", Tracks: sub("click.e"), Pictures: cdn, Text: true, Encoding: "qp", Before: true, First: 4, Layouts: 6, Classes: true},
	{Name: "service by customer", Tracks: service("u#.ct.sendgrid.net"), Pictures: hosted("cdn.mcauto-images-production.sendgrid.net"), Text: true, Encoding: "qp", First: 8, Layouts: 6},
	{Name: "list service", Tracks: service("mail.us#.list-manage.com"), Pictures: hosted("mcusercontent.com"), Text: true, Encoding: "base64", Before: true, First: 12, Layouts: 6, Classes: true},
	{Name: "shared counter", Tracks: service("r.us-east-1.awstrack.me"), Pictures: cdn, Encoding: "qp", First: 16, Layouts: 5},
	{Name: "rotating hosts", Tracks: rotating, Pictures: cdn, Text: true, Encoding: "qp", Before: true, First: 20, Layouts: 5},
	{Name: "numbered domains", Tracks: numbered, Pictures: cdn, Text: true, Encoding: "base64", First: 24, Layouts: 5, Classes: true},
	{Name: "enclosed pictures", Tracks: own, Text: true, Encoding: "qp", First: 28, Layouts: 5},
	{Name: "plain text", Tracks: own, Pictures: cdn, Only: true, Encoding: "8bit", First: 0, Layouts: 1},
	{Name: "eight bit", Tracks: sub("links"), Pictures: hosted("img.mail-pictures.net"), Encoding: "8bit", Before: true, First: 32, Layouts: 6},
	{Name: "shop platform", Tracks: sub("t"), Pictures: hosted("cdn.shop-platform.com"), Text: true, Encoding: "qp", First: 36, Layouts: 6, Classes: true},
	{Name: "many templates", Tracks: sub("go"), Pictures: cdn, Text: true, Encoding: "qp", Before: true, First: 0, Layouts: 48, Classes: true},
}
