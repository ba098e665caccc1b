// Package domains holds small curated lists of domains: free mail, link
// shorteners, free web space, link rewriters, and top-level domains that abuse
// prefers. They go with a release; an admin's own lists live elsewhere.
package domains

import (
	"strings"

	"golang.org/x/net/publicsuffix"
)

// set makes a lookup table of words.
func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// freeMail are mailbox providers where anybody gets an address at once.
var freeMail = set(`
gmail.com googlemail.com outlook.com hotmail.com live.com msn.com passport.com yahoo.com ymail.com rocketmail.com myyahoo.com aol.com aim.com
icloud.com me.com mac.com proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tuta.io tuta.com tutamail.com keemail.me
gmx.com gmx.net gmx.de gmx.at gmx.ch gmx.us gmx.fr gmx.es web.de mail.com email.com usa.com consultant.com post.com europe.com asia.com engineer.com
accountant.com lawyer.com financier.com diplomats.com representative.com secretary.net presidency.com techie.com workmail.com dr.com
freenet.de t-online.de arcor.de mail.de posteo.de mailbox.org zoho.com zohomail.com yandex.com yandex.ru ya.ru mail.ru bk.ru list.ru inbox.ru internet.ru rambler.ru
mail.ua ukr.net i.ua qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn sohu.com 139.com 189.cn 21cn.com tom.com aliyun.com
naver.com hanmail.net daum.net nate.com rediffmail.com indiatimes.com sify.com libero.it virgilio.it tiscali.it alice.it tin.it email.it
orange.fr wanadoo.fr laposte.net free.fr sfr.fr neuf.fr bbox.fr voila.fr terra.com.br uol.com.br bol.com.br ig.com.br globo.com globomail.com
seznam.cz centrum.cz volny.cz atlas.cz email.cz wp.pl o2.pl onet.pl interia.pl op.pl poczta.onet.pl gazeta.pl azet.sk zoznam.sk freemail.hu citromail.hu abv.bg mail.bg
walla.co.il walla.com excite.com lycos.com netscape.net juno.com netzero.net hushmail.com fastmail.com fastmail.fm runbox.com inbox.com inbox.lv mailfence.com
disroot.org cock.li airmail.cc safe-mail.net mail2world.com lavabit.com bigpond.com optusnet.com.au xtra.co.nz shaw.ca rogers.com sympatico.ca bell.net
hotmail.co.uk hotmail.fr hotmail.de hotmail.it hotmail.es live.co.uk live.fr live.de live.it live.nl outlook.fr outlook.de outlook.es outlook.it outlook.co.th outlook.com.br outlook.jp
yahoo.co.uk yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.ca yahoo.co.in yahoo.in yahoo.co.jp yahoo.com.br yahoo.com.ar yahoo.com.mx yahoo.com.au yahoo.com.hk yahoo.com.tw yahoo.com.cn
yahoo.com.ph yahoo.com.sg yahoo.com.vn yahoo.co.id yahoo.co.kr yahoo.gr yahoo.pl yahoo.ro yahoo.se yahoo.no yahoo.dk yahoo.ie
btinternet.com ntlworld.com virginmedia.com talktalk.net sky.com blueyonder.co.uk comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net mindspring.com
caramail.com mynet.com superonline.com yopmail.com mailinator.com guerrillamail.com sharklasers.com dispostable.com trashmail.com 10minutemail.com temp-mail.org onionmail.org email.cn
`)

// FreeMail says whether domain is a free mailbox provider.
func FreeMail(domain string) bool { return freeMail[domain] }

// shorteners hide where a link leads.
var shorteners = set(`
bit.ly bitly.com j.mp tinyurl.com t.co goo.gl ow.ly is.gd v.gd buff.ly rebrand.ly cutt.ly shorturl.at rb.gy t.ly tiny.cc tiny.one bl.ink lnkd.in s.id
shorte.st adf.ly bc.vc u.to clck.ru qps.ru vk.cc t.me.ru dlvr.it ift.tt soo.gd s2r.co clicky.me budurl.com x.co tr.im snipurl.com snipr.com su.pr cli.gs
yourls.org qr.ae qrco.de me-qr.com l.ead.me qr.link qrfy.io scnv.io qr1.be linktr.ee shor.by l.wl.co chilp.it zpr.io 0rz.tw ppt.cc reurl.cc lihi.cc pse.is
dwz.cn t.cn url.cn suo.im urlz.fr hubs.ly hubs.la short.gy shrtco.de 2no.co iplogger.org grabify.link tny.im kutt.it n9.cl acortar.link encr.pw inx.lv surl.li
urlzs.com gg.gg cutt.us bitly.ws tinyurl.at shorturl.asia bom.so tiny.pl linkr.it w.wiki
`)

// Shortener says whether host belongs to a link shortener.
func Shortener(host string) bool {
	return shorteners[host] || shorteners[strings.TrimPrefix(host, "www.")]
}

// freeHosts give web space or forms to anybody at once, below one name. Those
// of the public suffix list's private part are kept as written there.
var freeHosts = set(`
weebly.com wixsite.com wix.com webflow.io 000webhostapp.com blogspot.com wordpress.com godaddysites.com square.site strikingly.com jimdosite.com jimdofree.com
web.app firebaseapp.com appspot.com run.app pages.dev workers.dev r2.dev netlify.app vercel.app herokuapp.com onrender.com glitch.me repl.co replit.app
github.io gitlab.io surge.sh fleek.co ipfs.io dweb.link cloudflare-ipfs.com nftstorage.link w3s.link azurewebsites.net azurestaticapps.net blob.core.windows.net web.core.windows.net
amplifyapp.com s3.amazonaws.com myftp.org duckdns.org ddns.net no-ip.org hopto.org zapto.org sytes.net serveo.net ngrok.io ngrok-free.app trycloudflare.com loca.lt
framer.app framer.website carrd.co notion.site yolasite.com ucoz.com ucraft.net site123.me webnode.com webnode.page mystrikingly.com tilda.ws bravesites.com
typeform.com jotform.com formstack.com cognitoforms.com forms.app form.app 123formbuilder.com wufoo.com formsite.com zohopublic.com sibforms.com
plesk.page cprapid.com myshopify.com translate.goog mybluehost.me temp.domains infinityfreeapp.com epizy.com rf.gd great-site.net byethost.com atwebpages.com
`)

// FreeHost says whether host lies below a name where anybody may publish.
func FreeHost(host string) bool {
	return below(freeHosts, host)
}

// below looks host and the names above it up, at most six.
func below(m map[string]bool, host string) bool {
	for range 6 {
		if m[host] {
			return true
		}
		_, rest, ok := strings.Cut(host, ".")
		if !ok {
			return false
		}
		host = rest
	}
	return false
}

// passing are the names of Rewriter, Counter and Shortener; true where hosts below
// count too.
var passing = func() map[string]bool {
	m := map[string]bool{}
	for d := range shorteners {
		m[d] = false
	}
	for _, list := range []map[string]bool{rewriters, counters} {
		for d := range list {
			m[d] = true
		}
	}
	return m
}()

// Passing says whether host is one that links lead through, and not to: [Rewriter],
// [Counter] or [Shortener].
func Passing(host string) bool {
	bare, at := strings.TrimPrefix(host, "www."), host
	for range 6 {
		if all, ok := passing[at]; ok && (all || at == host || at == bare) {
			return true
		}
		_, rest, ok := strings.Cut(at, ".")
		if !ok {
			return false
		}
		at = rest
	}
	return false
}

// rewriters are mail gateways that replace links by their own to check them at
// the click. What they stand for is not what their text shows, by design.
var rewriters = set(`
safelinks.protection.outlook.com urldefense.com urldefense.proofpoint.com urldefense.us linkprotect.cudasvc.com protect.mimecast.com protect-us.mimecast.com
protect-eu.mimecast.com protect-au.mimecast.com protect-de.mimecast.com url.emailprotection.link secure-web.cisco.com clicktime.symantec.com clicktime.cloud.postoffice.net
shared.outlook.inky.com url.avanan.click checklinks.trendmicro.com deref-gmx.net deref-web.de deref-mail.com l.antigena.com link.edgepilot.com protection.sophos.com
fortimailcloud.com hornetsecurity.com atpscan.global.hornetsecurity.com spamgourmet.com
`)

// Rewriter says whether host belongs to a mail gateway that rewrites links.
func Rewriter(host string) bool {
	return below(rewriters, host)
}

// counters are services that send for others and lead all links through a host
// of their own, to count the clicks.
var counters = set(`
sendgrid.net sendgrid.com klclick.com klclick1.com klclick2.com klclick3.com kmail-lists.com list-manage.com mailchi.mp mandrillapp.com hubspotlinks.com hubspotemail.net
hs-sites.com constantcontact.com rs6.net exacttarget.com exct.net sfmc-content.com salesforce.com pardot.com mktoweb.com mkt.com marketo.com mailgun.org mailgun.net
sparkpostmail.com awstrack.me amazonses.com beehiiv.com substack.com convertkit-mail.com convertkit-mail2.com ck.page mlsend.com mailerlite.com sendibm1.com sendibm2.com sendibm3.com
sendinblue.com brevo.com customeriomail.com braze.com iterable.com mjt.lu mailjet.com activehosted.com acemlna.com emlnk.com emlnk1.com aweber.com getresponse.com cmail19.com cmail20.com
cmail1.com cmail2.com createsend.com createsend1.com dotdigital-pages.com dmtrk.net emarsys.net responsys.net e2ma.net myemma.com vresp.com infusionsoft.com keap-link001.com keap-link002.com
sailthru.com zcsend.net maillist-manage.com maropost.com cheetahmail.com epsl1.com rsgsv.net postmarkapp.com pstmrk.it ongage.net moosend.com elasticemail.com smtp2go.com
cleverreach.com inxmail.com rapidmail.de newsletter2go.com mailup.com mailup.net sendpulse.com unisender.com esputnik.com govdelivery.com granicus.com evsuite.com zendesk.com intercom-mail.com
`)

// Counter says whether host belongs to a service that counts clicks for senders.
func Counter(host string) bool { return below(counters, host) }

// riskyTLD are top-level domains where names cost next to nothing, or cost
// nothing for years, and abuse outweighs use.
var riskyTLD = set(`
tk ml ga cf gq top click buzz icu rest cam monster cyou sbs cfd quest bond lol beauty hair skin makeup mom autos boats homes yachts motorcycles pics christmas
zip mov gdn loan win bid date racing review stream trade download accountant faith party science cricket men kim surf fit xin wang okinawa country
uno lat pw
`)

// RiskyTLD says whether host's top-level domain is one that abuse prefers.
func RiskyTLD(host string) bool {
	tld := host[strings.LastIndexByte(host, '.')+1:]
	return riskyTLD[tld]
}

// cheapTLD are top-level domains with first years at a dollar or two: yearly reports
// on abuse have them near the top, and honest shops are there too.
var cheapTLD = set(`
xyz shop store online site website space fun club vip live life world today work ltd email solutions express digital agency services center network team
pro info biz cc ws ru su cn ink wiki press host tech cloud bar pub asia mobi tokyo shopping deals sale discount promo gifts forum llc
`)

// cheapBelow are names below which strangers register as below a top-level domain.
var cheapBelow = set(`ru.com sa.com za.com us.com uk.com eu.com de.com br.com cn.com jpn.com in.net co.com com.se`)

// CheapTLD says whether host stands below a name where the first year costs next to
// nothing; those of [RiskyTLD] not among them.
func CheapTLD(host string) bool {
	at := strings.LastIndexByte(host, '.')
	if cheapTLD[host[at+1:]] {
		return true
	}
	return at > 0 && cheapBelow[host[strings.LastIndexByte(host[:at], '.')+1:]]
}

// KnownTLD says whether host ends in a top-level domain that exists.
func KnownTLD(host string) bool {
	suffix, icann := publicsuffix.PublicSuffix(host)
	return icann || strings.Contains(suffix, ".")
}
