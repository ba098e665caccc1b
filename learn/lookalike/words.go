package lookalike

import "strings"

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// serviceWords are what false sites put beside a name: the words of logins, payments,
// help and deliveries, in the languages that most of them are written in.
var serviceWords = set(`
login logon signin sign log auth sso secure secured security safe safety verify verified verification validate confirm confirmation
account accounts konto compte cuenta conta user users member members client clients customer customers kunde kunden cliente clientes
support help helpdesk service services servicio servicios servizio kundenservice assistance assist care center centre contact
update updates upgrade renew renewal restore recover recovery unlock reset password passwort access portal online web webmail mail email
bank banking bill billing invoice pay payment payments paiement pago pagos zahlung refund refunds claim wallet card cards
alert alerts notice notification notifications info information message messages team admin office
delivery deliveries package parcel tracking track shipment shipping order orders paket colis
official app apps store shop promo promotion bonus gift rewards reward survey prize sale outlet
id my mein www com net org inc corp ltd group global int intl usa hr payroll docs share sharepoint onedrive drive file files
`)

// beginning and ending have, for each letter, the lengths of service words that begin or
// end with it, as bits: most words of most labels need no look at the table. Words of two
// letters ("id", "my") only count where hyphens set them apart.
var beginning, ending = func() (b, e [256]uint32) {
	for w := range serviceWords {
		if n := len(w); n > 2 {
			b[w[0]] |= 1 << n
			e[w[n-1]] |= 1 << n
		}
	}
	return b, e
}()

func service(w string) bool { return serviceWords[w] }

// strong is the pull of a word that asks for a secret or for trust by itself.
const strong = 2

var strongWords = set(`
login logon signin auth sso secure secured security verify verified verification validate confirm confirmation account accounts konto compte cuenta
support helpdesk unlock recover recovery reset password billing refund refunds alert alerts webmail payroll update
`)

var pulls = func() map[string]int {
	m := map[string]int{}
	for w := range serviceWords {
		m[w] = 1
	}
	for w := range strongWords {
		m[w] = strong
	}
	return m
}()

// pull is how much a word leads people to give something away: 0 for one that is no
// service word.
func pull(w string) int { return pulls[w] }

// ordinary are words of the language that are names of companies too, or stand in the
// names of thousands: likeness to them needs more.
var ordinary = set(`
access archive active advance affirm alliance allied ally alpha apache apex apple arrow article assist atlas aurora avenue axis
bell best beta bitter block blue bloom boost booking border boston box bridge bright broadway brother brown bumble business buffer
cable calendar camel canvas capital cards care career carter cash castle central century chain champion charter chase chime choice circle
cisco citizen citizens city classic clear clever click climate cloud coach coast coin coffee comet comfort commerce community compass concept connect
contact core corner costa country credit cricket crown crystal current custom daily data delta design direct discord discover dish domain dove dream drive
dragon eagle earth east easy echo economist edge elastic electric element elite embark energy engine enterprise epic equity event events ever
everyday exact example exchange express extra eye fidelity figure finance first flash fleet flex focus food force forest form forum forward fox frame
free fresh frontier fusion future galaxy garden gas gate gateway general genius gift global globe gold golden good grand grant graph gray great green grid ground
group grow guardian guide harbor harvest health heart hello home honey horizon hotel hotels house hub human hunter icon idea ideal image impact
independent indeed index infinity inn inside insight instant instinct insurance intelligent international intuit island jet journal jump junction just key king kingdom label lake land leaf legend lemon lemonade level liberty life lift light like lime line link lion liquid live local logic loom loop lotus lucky
magic mail main major manager map maple marine mark market markets master matrix max medal media medical medium meet mercury merit meta metro micro milk mini
mint mirror mission mobile model modern monday money monitor monster moon morning motion mountain move music national nation natural nature net network new news next nike
node noon north northern note notion nova novel oak ocean office olive omega one online open optimum option oracle orange orbit order orient origin outlook oxford pacific
page palm panda paper paramount park partner passport patch path pay peak pearl people perfect person phoenix photo pilot pine pioneer pixel planet plant platinum play plaza plus pocket
point polar pond port portal post power premier premium press prime principal print priority private pro progress progressive project prompt property proton prudential public pulse pure
quality quantum quest quick radio rain rally range rapid reach read real reality realty record red regal regent region regions relay report republic reserve resolve resort retail
return review ribbon rich ridge right ring ripple rise river road robin rocket root rose round royal runway safari safe sage sail salon salt sand sapphire save science score scout
sea search season second secure security select senior sense sentry service seven shell shield shift shop signal signature silver simple site six skill sky slack smart smile smooth
snap social society soft solar solid solution solutions sonic soul sound source south southern south space spark spectrum speed spirit splash split sport sports spring sprint square stack stage
standard star stars start state states station status steam steel stellar stone store storm story stream street strike stripe strong studio style success summit sun sunrise super supply support
surface surge survey sweet swift switch symphony sync system target task tax team tech tele tempo temple terra test thread threads tide tiger time times titan today toll tool
top total touch tower town track trade train transfer transit travel travelers tree trend tribune trigger trinity triple trip trust truth turbo twin twitch union unique unit united
unity universal university up urban valley value vanguard vault vector vegas velocity venture verge verify vertex vertical victor victory video view village vine vintage virgin vision visit
visa vista vital vivid vogue voice volt voyage wall water wave way weather web west western white wild wind window windows wing winter wire wise wish wizard wolf women wonder wood
work workday world worldwide worth yellow yield young zoom zone
america american africa asia australia austria belgium berlin boston brazil britain british california canada chicago china denmark dublin england europe european finland
florida france french german germany greece holland india ireland israel italy japan korea london madrid mexico moscow munich nederland newyork norway paris poland portugal
russia scotland spain sweden swiss switzerland sydney texas tokyo toronto turkey ukraine vienna wales washington zurich
`)

func ordinaryWord(w string) bool {
	return ordinary[w] || len(w) > 4 && w[len(w)-1] == 's' && ordinary[w[:len(w)-1]]
}

// customers are domains below which companies have a label of their own that names
// them: it isn't there to look like anybody.
var customers = set(`
gappssmtp.com onmicrosoft.com outlook.com office365.com sharepoint.com translate.goog googleusercontent.com edgekey.net edgesuite.net akamaized.net akamaiedge.net
cloudfront.net fastly.net azureedge.net azurefd.net trafficmanager.net cdn77.org llnwd.net salesforce.com force.com my.site.com zendesk.com freshdesk.com
okta.com oktapreview.com auth0.com atlassian.net slack.com service-now.com myworkday.com myworkdayjobs.com workday.com greenhouse.io lever.co bamboohr.com
mimecast.com pphosted.com ppe-hosted.com messagelabs.com iphmx.com mktomail.com mktoweb.com marketo.com exacttarget.com sfmc-content.com list-manage.com sendgrid.net
responsys.net rsys2.com cheetahmail.com bluehornet.com e-dialog.com ed10.net rsys1.com ed4.net m0.net customeriomail.com qualtrics.com eloqua.com hubspotemail.net
amazonaws.com amazonses.com hs-sites.com wordpress.com tumblr.com livejournal.com fandom.com wikia.com uservoice.com statuspage.io archive.org sourceforge.net
sparkpostmail.com mailgun.org mcsv.net rsgsv.net mandrillapp.com narvar.com bigcommerce.com help.com helpscout.net intercom.io desk.com gitbook.io readthedocs.io
`)
