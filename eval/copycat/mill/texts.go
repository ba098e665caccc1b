package mill

import (
	"slices"
	"strings"
)

// kind is what a matter is written with. [a|b] are ways to say it, {x} what differs.
type kind struct {
	subjects, heads, sentences, calls []string
}

// footer is what stands below everything.
type footer struct{ notices, links []string }

func lines(s string) []string {
	var out []string
	for l := range strings.SplitSeq(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

func of(subjects, heads, sentences, calls string) kind {
	return kind{lines(subjects), lines(heads), lines(sentences), lines(calls)}
}

func kindsOf(lang string) []string {
	var out []string
	for k := range texts[lang] {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

var greeting = map[string]string{"en": "Hello", "de": "Hallo", "fr": "Bonjour", "es": "Hola", "it": "Ciao", "nl": "Beste"}

var cities = strings.Fields("Lyon Porto Leeds Gent Graz Turin Malmo Utrecht Bilbao Dresden Cork Basel Odense Tampere Nantes")

var products = [][]string{
	strings.Fields("sweater raincoat sneakers backpack scarf dress jeans jacket belt"),
	strings.Fields("account card statement transfer deposit loan mortgage"),
	strings.Fields("headphones router tablet charger monitor keyboard speaker camera"),
	strings.Fields("ticket booking cabin seat luggage transfer voucher"),
	strings.Fields("coffee granola olive-oil pasta chocolate honey tea"),
	strings.Fields("subscription profile playlist library storage workspace"),
	strings.Fields("parcel letter pallet shipment locker pickup"),
	strings.Fields("lamp sofa shelf carpet desk mattress curtain"),
}

var things = map[string][]string{
	"en": lines("the harbour at dawn\nsmall balconies\na winter picnic\nold bicycles\nslow mornings\nlong train rides\nthe first frost\nhouse plants that forgive"),
	"de": lines("der Hafen am Morgen\nkleine Balkone\nein Picknick im Winter\nalte Fahrräder\nlange Zugfahrten\nZimmerpflanzen"),
	"fr": lines("le port à l'aube\nles petits balcons\nun pique-nique d'hiver\nles vieux vélos\nles plantes d'intérieur"),
	"es": lines("el puerto al amanecer\nlos balcones pequeños\nun picnic de invierno\nlas bicicletas viejas\nlas plantas de casa"),
	"it": lines("il porto all'alba\ni piccoli balconi\nun picnic d'inverno\nle vecchie biciclette"),
	"nl": lines("de haven in de ochtend\nkleine balkons\neen picknick in de winter\noude fietsen"),
}

var cards = map[string][]string{
	"en": lines("Our favourite {product} for {thing}, now with [free|next day] delivery from {city}\nWhy {thing} need a good {product}: [three|five] ideas by our team\nNew in: the {product} that [readers|customers] in {city} asked for\nFrom the archive: how we tested {n} of them for {thing}"),
	"de": lines("Unser Liebling für {thing}: {product}, jetzt mit [kostenloser|schneller] Lieferung aus {city}\nNeu im Sortiment: {product}, nach dem viele in {city} gefragt haben\nAus der Redaktion: wie wir {n} Stück für {thing} geprüft haben"),
	"fr": lines("Notre préféré pour {thing} : {product}, livré [gratuitement|rapidement] depuis {city}\nNouveau : {product}, que nos clients de {city} attendaient"),
	"es": lines("Nuestro favorito para {thing}: {product}, con envío [gratis|rápido] desde {city}\nNovedad: {product}, lo que pedían en {city}"),
	"it": lines("Il nostro preferito per {thing}: {product}, con consegna [gratuita|rapida] da {city}\nNovità: {product}, richiesto a {city}"),
	"nl": lines("Onze favoriet voor {thing}: {product}, nu met [gratis|snelle] levering uit {city}\nNieuw: {product}, waar ze in {city} om vroegen"),
}

var footers = map[string]footer{
	"en": {lines(`You receive this message because you have an account with {brand} or agreed to get news by email. We never ask for your password by email.
		This message and its attachments are intended solely for the addressee. If you received it in error, please delete it. Any unauthorised disclosure is prohibited and confidential treatment applies.
		{brand} Ltd, registered in {city}, company number 0{n}44. Registered office: {n} High Street, {city}. VAT number on request.
		Prices include VAT where it applies. Offers are valid while stocks last and can't be combined with other promotions.
		Please do not reply to this email, as this mailbox is not monitored. For questions visit our help pages.`),
		lines("View in browser\nUnsubscribe\nPrivacy policy\nHelp and contact")},
	"de": {lines(`Sie erhalten diese Nachricht, weil Sie ein Konto bei {brand} haben oder dem Empfang zugestimmt haben. Wir fragen nie per E-Mail nach Ihrem Passwort.
		{brand} GmbH, Sitz der Gesellschaft: {city}, Registergericht {city}, HRB {n}12. Geschäftsführung: siehe Impressum.
		Alle Preise enthalten die gesetzliche Mehrwertsteuer. Angebote gelten nur, solange der Vorrat reicht.
		Bitte antworten Sie nicht auf diese Nachricht, da dieses Postfach nicht gelesen wird.`),
		lines("Im Browser ansehen\nAbmelden\nDatenschutz\nHilfe und Kontakt")},
	"fr": {lines(`Vous recevez ce message car vous avez un compte chez {brand} ou avez accepté de recevoir nos nouvelles. Nous ne demandons jamais votre mot de passe par e-mail.
		{brand} SAS, siège social à {city}, RCS {city} {n} 221. Les prix incluent la TVA applicable.
		Merci de ne pas répondre à ce message, cette adresse n'est pas consultée.`),
		lines("Voir dans le navigateur\nSe désabonner\nPolitique de confidentialité\nAide et contact")},
	"es": {lines(`Recibes este mensaje porque tienes una cuenta en {brand} o aceptaste recibir noticias por correo. Nunca pedimos tu contraseña por correo.
		{brand} SL, con domicilio en {city}, inscrita en el registro mercantil, hoja {n}. Los precios incluyen IVA.
		No respondas a este mensaje, ya que este buzón no se consulta.`),
		lines("Ver en el navegador\nDarse de baja: cancelar\nPolítica de privacidad\nAyuda y contacto")},
	"it": {lines(`Ricevi questo messaggio perché hai un account presso {brand} o hai accettato di ricevere notizie. Non chiediamo mai la password per e-mail.
		{brand} Srl, sede legale a {city}, registro imprese n. {n}. I prezzi includono l'IVA.
		Si prega di non rispondere a questo messaggio, la casella non è controllata.`),
		lines("Apri nel browser\nAnnulla iscrizione\nPrivacy\nAiuto e contatti")},
	"nl": {lines(`U ontvangt dit bericht omdat u een account bij {brand} heeft of zich heeft aangemeld voor nieuws. Wij vragen nooit per e-mail om uw wachtwoord.
		{brand} BV, gevestigd te {city}, KvK-nummer {n}88. Prijzen zijn inclusief btw.
		Antwoord niet op dit bericht, deze mailbox wordt niet gelezen.`),
		lines("Bekijk in browser\nAfmelden\nPrivacyverklaring\nHulp en contact")},
}

var texts = map[string]map[string]kind{
	"en": {
		"reset": of(`Reset your {brand} password
			Your password reset request`,
			`[Forgot your password?|Reset your password]`,
			`We [received|got] a request to [reset|change] the password for your {brand} account.
			[Choose|Pick] a new password with the button below to [get back into|open] your account.
			The link [works|is valid] for [one hour|24 hours] and can be used [only once|a single time].
			If you [didn't ask for this|did not make this request], you can [ignore this message|safely ignore this email] and nothing will change.
			Never [share|give] your password or this link [with anyone|to others], not even with people who say they work for us.
			For your safety we [signed you out|ended your sessions] on all devices that were used [before|earlier than] today.
			A good password has [at least|no fewer than] twelve characters and isn't used [anywhere else|on other sites].
			The request came from a browser near {city}, so please tell us if that [wasn't|was not] you.
			Once you are signed in you can [turn on|set up] a second factor in the settings of your {brand} account.`,
			`Reset password
			Choose a new password`),
		"breach": of(`Important notice about your {brand} account
			A security incident at {brand}: what you should know`,
			`[What happened|An incident that concerns you]`,
			`We are writing to [tell|inform] you of [a security incident|an incident] that [involves|concerns] some of your personal information.
			On {date} we [discovered|learned] that somebody gained access to a system which a [supplier|vendor] of {brand} runs in {city}.
			The information [involved|affected] may include your name, postal address, telephone number and [email address|e-mail].
			We have no [indication|evidence] that passwords or card numbers were [taken|exposed].
			As soon as we [knew|found out], we closed the access, called in [outside experts|forensic experts] and told the authorities.
			We offer you [twelve|24] months of credit monitoring [at no cost|free of charge], and you can enrol until the end of the year.
			Please [watch|review] your statements closely and report [anything unusual|unknown charges] to your bank.
			We [deeply regret|are sorry for] the concern that this causes and take the protection of your data very seriously.
			Be careful with calls and messages that [mention|refer to] this incident and ask you for personal details.
			Your {brand} account itself was [not touched|not affected], and you can go on using it as before.
			More answers are on the page that we have set up for everybody who was [concerned|affected].`,
			`Enrol in credit monitoring
			Protect my information`),
		"parcel": of(`Your parcel from {brand} is on its way
			Delivery update: parcel {n}`,
			`[Your parcel is on its way|Good news: it has shipped]`,
			`Your {product} [left|has left] our warehouse in {city} and will reach you [soon|within three days].
			The driver will [try|attempt] to deliver [between|from] 9:00 [and|to] 13:00 on {date}.
			If nobody is [at home|there], the parcel goes to a [pickup point|shop] near you, where it waits for seven days.
			You can [change|choose] the day or leave it [with a neighbour|in a safe place] until the evening before.
			Please have an [identity document|ID] ready, since we [hand over|deliver] parcels of this value [only|just] against a signature.
			[Follow|Track] every step of the journey with your parcel number {n}.
			[Customs|Import] fees have been [paid|settled] already, so there is nothing left to pay at the door.
			Packaging can be [returned|handed back] to the driver, who takes it back to be used again by {brand}.
			We [hope|trust] that everything arrives in good order and that you like what is inside.`,
			`Track my parcel
			Follow delivery`),
		"receipt": of(`Your {brand} receipt
			Thanks for your order {n}`,
			`[Thank you for your order|Thanks for shopping with us]`,
			`We have [received|got] your order of {date} and are [getting it ready|preparing it] in {city}.
			Below you find what you [bought|ordered], with prices and taxes.
			Your card was [charged|debited] when the order [left|was sent], as you had [chosen|agreed].
			You can [return|send back] your {product} within [30|sixty] days if it [isn't|is not] what you wanted.
			Please keep this [receipt|message] for the warranty, which runs for two years from today.
			Members of the {brand} club [collect|get] points for every order, and these were added to your account.
			If [something|anything] is missing, tell us within a week and we will [put it right|send it again] at once.
			Orders [before|placed until] three in the afternoon leave our house on the same day.`,
			`View my order
			See order details`),
		"invoice": of(`Your {brand} invoice for {date}
			Invoice {n} is ready`,
			`[Your invoice is ready|New invoice]`,
			`Your [invoice|bill] for the past month is [ready|available] in your {brand} account.
			The amount will be [collected|debited] from the account that you [gave us|chose] on {date}.
			Please [make sure|see to it] that there is enough money in the account, as a returned debit [costs|carries] a fee.
			You can [download|save] the invoice as a document and [keep|store] it for your taxes.
			There were no [changes|price changes] to your contract in this period.
			If you would rather [pay|settle] by card or transfer, [choose|set] that in your account until the day before.
			Questions about single items are [answered|explained] on the second page of the invoice.
			Thank you for [being with|trusting] {brand} and for paying on time.`,
			`View invoice
			Pay now`),
		"security": of(`New sign-in to your {brand} account
			Was this you?`,
			`[New sign-in|We noticed a new sign-in]`,
			`Somebody [signed in|logged in] to your {brand} account from a [new device|browser that we don't know] near {city}.
			If this was you, there is nothing [you need to do|more to do], and you can delete this message.
			If it [wasn't|was not] you, please [check|review] the recent activity [right away|at once] and change your password.
			We [send|write] these notices whenever a device is used for the first time, to [keep|help keep] your account safe.
			The sign-in took place on {date} and used the [correct|right] password.
			Devices that you trust can be [named|listed] in the settings, so that we don't [ask|write] again.
			[Turning on|Using] a second factor stops most attempts, even when a password was [stolen|guessed].
			Until you [confirm|answer], transfers and changes of address are [paused|held back] for this account.`,
			`Check activity
			Review sign-in`),
		"news": of(`{thing}: the {brand} letter
			This week at {brand}`,
			`[This week|In this issue]: {thing}
			All about {thing}`,
			`It has been a [busy|good] week in {city}, where our editors [looked into|wrote about] {thing}.
			We [asked|talked to] {n} readers what they think of {thing}, and the answers [surprised|delighted] us.
			The long read of this issue is [about|on] {thing} and the people who [care|fight] for it.
			In the second part we [visit|meet] a maker from {city} who has worked on a single {product} for ten years.
			As always there are [small|short] notes, a recipe, and the letters that you [sent|wrote] to us.
			The {brand} team has [gathered|picked] what is new around {product} and what is worth your money.
			[Write|Tell] us what you would like to [read|hear] more about, since half of our ideas come from you.
			Next week we [travel|go] to {city} and come back with {thing} and some stories.`,
			`Read the issue
			Continue reading`),
		"sale": of(`{pct} % off {product} at {brand}
			Only this week: {pct} % off`,
			`[Up to|Save] {pct} % [off|on] {product}`,
			`For [a few|four] days you [save|get] {pct} % on every {product} in our shop.
			The code is [entered|applied] at the checkout by itself, and delivery is [free|on us] from fifty.
			Our [summer|winter] range was made with {thing} in mind and [comes|ships] from {city}.
			There are [only|no more than] {n} pieces left of some sizes, so don't [wait|think] too long.
			Members of the {brand} club can [shop|start] a day earlier than everybody else.
			[Try|Test] it at home for thirty days, and send it back at our [cost|expense] if you aren't happy.
			Pair it with {product2}, which [many|most] of our customers take with it.
			We [plant|pay for] a tree for each order that is [placed|made] until {date}.`,
			`Shop now
			Get {pct} % off`),
		"terms": of(`We are updating our terms
			Changes to the {brand} agreement`,
			`[We are changing our terms|Updates to our agreement]`,
			`From {date} on, new [terms|conditions] of use [apply|are in force] for your {brand} account.
			We have [written|put] them in plainer words and [explain|say] better what happens to your data.
			New is a [section|part] on automatic renewal, which you can [switch off|stop] at any time.
			The place of jurisdiction [stays|remains] {city}, and your rights as a consumer are not [touched|changed].
			If you [agree|are fine with that], you don't have to do anything.
			If you don't, you may [close|end] your account until the day before without any [cost|fee].
			A [summary|comparison] of old and new terms is [on our site|available] and takes five minutes to read.
			{brand} has also [added|named] a person whom you can [write|turn] to with questions about privacy.`,
			`Read the new terms
			Review changes`),
		"renew": of(`Your {brand} {product} expires soon
			Time to renew`,
			`[Your plan is about to end|Your plan expires on {date}]`,
			`Your {brand} [plan|subscription] with {product} and {n} GB [ends|expires] on {date}.
			Renew [now|today] to [keep|hold on to] your files, your settings and your [price|rate].
			We could not [charge|debit] the card that is on file, [maybe|perhaps] because it has expired.
			[Update|Change] your payment details and we will try again [within|in] two days.
			After that date you can [still|only] read what is stored, but nothing new can be [added|saved].
			Sixty days later everything is [deleted|removed] for good from our servers in {city}.
			Thank you for [three|two] years with us, which we would [like|love] to continue.
			There is a [lower|special] price when you choose to pay for a whole year.`,
			`Renew now
			Update payment`),
	},
	"de": {
		"reset": of(`Passwort für {brand} zurücksetzen
			Ihre Anfrage zum Passwort`,
			`[Passwort vergessen?|Neues Passwort wählen]`,
			`Wir haben eine Anfrage [erhalten|bekommen], das Passwort für Ihr Konto bei {brand} zu [ändern|erneuern].
			[Wählen|Vergeben] Sie über die Schaltfläche unten ein neues Passwort, um wieder [Zugang zu bekommen|in Ihr Konto zu kommen].
			Der Link [gilt|funktioniert] [eine Stunde|24 Stunden] und kann nur [einmal|ein einziges Mal] benutzt werden.
			Wenn Sie das nicht [angefordert|gewünscht] haben, können Sie diese Nachricht [löschen|einfach ignorieren], es ändert sich nichts.
			Geben Sie Ihr Passwort und diesen Link an niemanden [weiter|heraus], auch nicht an Leute, die sich auf uns berufen.
			Zu Ihrer Sicherheit haben wir alle Geräte [abgemeldet|getrennt], die vorher benutzt wurden.
			Ein gutes Passwort hat [mindestens|nicht weniger als] zwölf Zeichen und wird sonst nirgends verwendet.`,
			`Passwort zurücksetzen
			Neues Passwort wählen`),
		"parcel": of(`Ihr Paket von {brand} ist unterwegs
			Sendung {n}: Neuigkeiten`,
			`[Ihr Paket ist unterwegs|Ihre Sendung kommt]`,
			`Ihre Bestellung [hat|verlässt] unser Lager in {city} [verlassen|heute] und kommt in den nächsten Tagen bei Ihnen an.
			Der Fahrer wird am {date} zwischen 9 und 13 Uhr bei Ihnen [klingeln|sein].
			Ist niemand zu Hause, liegt das Paket sieben Tage lang in einem [Laden|Paketshop] in Ihrer Nähe.
			Sie können den Tag [ändern|verlegen] oder einen [Ablageort|sicheren Ort] nennen, bis zum Abend davor.
			Bitte halten Sie einen Ausweis [bereit|griffbereit], denn Pakete dieses Wertes geben wir nur gegen Unterschrift ab.
			Alle Gebühren sind schon [bezahlt|beglichen], an der Tür ist nichts mehr zu zahlen.
			Die Verpackung nimmt der Fahrer gern wieder mit, {brand} verwendet sie noch einmal.`,
			`Sendung verfolgen
			Paket verfolgen`),
		"invoice": of(`Ihre Rechnung von {brand}
			Rechnung {n} vom {date}`,
			`[Ihre Rechnung ist da|Neue Rechnung]`,
			`Ihre Rechnung für den [vergangenen|letzten] Monat liegt in Ihrem Kundenkonto bei {brand} bereit.
			Der Betrag wird am {date} von dem Konto [abgebucht|eingezogen], das Sie uns genannt haben.
			Bitte sorgen Sie dafür, dass genug Geld auf dem Konto ist, denn eine Rücklastschrift [kostet|verursacht] Gebühren.
			Sie können die Rechnung als Dokument [herunterladen|speichern] und für die Steuer aufheben.
			An Ihrem Vertrag hat sich in diesem Zeitraum nichts [geändert|verändert].
			Fragen zu einzelnen Posten beantwortet die [zweite|letzte] Seite der Rechnung.
			Vielen Dank, dass Sie {brand} [vertrauen|treu sind] und pünktlich zahlen.`,
			`Rechnung ansehen
			Jetzt bezahlen`),
		"security": of(`Neue Anmeldung bei {brand}
			Waren Sie das?`,
			`[Neue Anmeldung|Anmeldung von einem neuen Gerät]`,
			`Jemand hat sich von einem [neuen|unbekannten] Gerät in der Nähe von {city} bei Ihrem Konto angemeldet.
			Wenn Sie das waren, müssen Sie nichts [tun|unternehmen] und können diese Nachricht löschen.
			Wenn nicht, [prüfen|kontrollieren] Sie bitte sofort die letzten Vorgänge und ändern Sie Ihr Passwort.
			Solche Hinweise schicken wir immer, wenn ein Gerät zum ersten Mal [benutzt|verwendet] wird.
			Bis Sie das bestätigen, sind Überweisungen und Änderungen der Adresse [gesperrt|angehalten].
			Ein zweiter Faktor hält die meisten Versuche auf, selbst wenn ein Passwort [gestohlen|erraten] wurde.
			In den Einstellungen von {brand} können Sie Geräte nennen, denen Sie [trauen|vertrauen].`,
			`Aktivität prüfen
			Anmeldung prüfen`),
		"sale": of(`{pct} % auf {product} bei {brand}
			Nur diese Woche: {pct} %`,
			`[Bis zu|Jetzt] {pct} % sparen`,
			`Nur [wenige|vier] Tage lang sparen Sie {pct} % auf alles rund um {product}.
			Der Rabatt wird an der Kasse von selbst [abgezogen|berücksichtigt], der Versand ist ab fünfzig Euro kostenlos.
			Bei der neuen Kollektion haben wir an {thing} gedacht, sie kommt aus {city}.
			Von manchen Größen sind nur noch {n} Stück [da|übrig], warten Sie also nicht zu lange.
			Mitglieder im Club von {brand} dürfen einen Tag [früher|eher] einkaufen.
			Probieren Sie alles dreißig Tage zu Hause aus und schicken Sie es auf unsere Kosten [zurück|wieder zurück].`,
			`Jetzt einkaufen
			Zum Angebot`),
	},
	"fr": {
		"reset": of(`Réinitialisez votre mot de passe {brand}`, `[Mot de passe oublié ?|Nouveau mot de passe]`,
			`Nous avons reçu une demande pour [changer|réinitialiser] le mot de passe de votre compte {brand}.
			[Choisissez|Définissez] un nouveau mot de passe avec le bouton ci-dessous pour [retrouver|ouvrir] votre compte.
			Le lien [fonctionne|est valable] pendant [une heure|24 heures] et ne sert qu'une seule fois.
			Si vous n'avez [rien demandé|pas fait cette demande], ignorez ce message, rien ne changera.
			Ne [donnez|communiquez] jamais ce lien à personne, même à quelqu'un qui dit travailler pour nous.
			Pour votre sécurité, tous les appareils utilisés auparavant ont été [déconnectés|fermés].`,
			`Changer le mot de passe
			Réinitialiser`),
		"parcel": of(`Votre colis {brand} est en route`, `[Votre colis arrive|Votre colis est en route]`,
			`Votre commande a quitté notre entrepôt de {city} et [arrivera|sera chez vous] dans les prochains jours.
			Le livreur [passera|viendra] le {date} entre 9 heures et 13 heures.
			En cas d'absence, le colis vous attendra sept jours dans un [point relais|magasin] près de chez vous.
			Vous pouvez [changer|choisir] le jour jusqu'à la veille au soir.
			Préparez une pièce d'identité, car les colis de cette valeur sont remis [uniquement|seulement] contre signature.
			Les frais de douane sont déjà [payés|réglés], il ne reste rien à payer.`,
			`Suivre mon colis`),
		"sale": of(`{pct} % sur {product} chez {brand}`, `[Jusqu'à|Économisez] {pct} %`,
			`Pendant [quelques|quatre] jours, profitez de {pct} % sur tous nos articles {product}.
			La remise est appliquée à la caisse et la livraison est [offerte|gratuite] dès cinquante euros.
			Notre nouvelle gamme, pensée pour {thing}, [arrive|vient] de {city}.
			Il ne reste que {n} pièces dans certaines tailles, alors n'[attendez|hésitez] pas trop.
			Les membres du club {brand} peuvent [commander|acheter] un jour avant tout le monde.`,
			`J'en profite
			Voir l'offre`),
	},
	"es": {
		"reset": of(`Restablece tu contraseña de {brand}`, `[¿Olvidaste tu contraseña?|Nueva contraseña]`,
			`Hemos recibido una solicitud para [cambiar|restablecer] la contraseña de tu cuenta de {brand}.
			[Elige|Define] una contraseña nueva con el botón de abajo para volver a [entrar|acceder] en tu cuenta.
			El enlace [funciona|es válido] durante [una hora|24 horas] y solo puede usarse una vez.
			Si no lo has [pedido|solicitado] tú, ignora este mensaje y no cambiará nada.
			No [compartas|des] nunca este enlace con nadie, ni con quien diga que trabaja con nosotros.
			Por tu seguridad hemos [cerrado|terminado] las sesiones en todos los dispositivos.`,
			`Cambiar contraseña`),
		"invoice": of(`Tu factura de {brand}`, `[Tu factura está lista|Nueva factura]`,
			`La factura del [último|pasado] mes ya está [disponible|lista] en tu cuenta de {brand}.
			El importe se [cobrará|cargará] el {date} en la cuenta que nos indicaste.
			Asegúrate de que haya saldo, porque una devolución [tiene|genera] gastos.
			Puedes [descargar|guardar] la factura como documento para tus impuestos.
			En este periodo no hubo [cambios|modificaciones] en tu contrato.
			Gracias por [confiar|seguir] con {brand} y por pagar a tiempo.`,
			`Ver factura
			Pagar ahora`),
	},
	"it": {
		"parcel": of(`Il tuo pacco {brand} è in viaggio`, `[Il tuo pacco è in viaggio|Spedito]`,
			`Il tuo ordine ha lasciato il nostro magazzino di {city} e [arriverà|sarà da te] nei prossimi giorni.
			Il corriere [passerà|verrà] il {date} tra le 9 e le 13.
			Se non c'è nessuno, il pacco resterà sette giorni in un [negozio|punto di ritiro] vicino a te.
			Puoi [cambiare|scegliere] il giorno fino alla sera prima.
			Tieni pronto un documento, perché i pacchi di questo valore si consegnano [solo|soltanto] con firma.
			Le spese doganali sono già state [pagate|saldate], non resta nulla da pagare.`,
			`Segui il pacco`),
		"security": of(`Nuovo accesso a {brand}`, `[Nuovo accesso|Sei stato tu?]`,
			`Qualcuno è entrato nel tuo account {brand} da un dispositivo [nuovo|sconosciuto] vicino a {city}.
			Se eri tu, non devi fare [nulla|altro] e puoi cancellare questo messaggio.
			Se non eri tu, [controlla|verifica] subito le ultime attività e cambia la password.
			Inviamo questi avvisi ogni volta che un dispositivo viene [usato|utilizzato] per la prima volta.
			Fino alla tua conferma i bonifici sono [bloccati|sospesi].`,
			`Controlla attività`),
	},
	"nl": {
		"invoice": of(`Uw factuur van {brand}`, `[Uw factuur staat klaar|Nieuwe factuur]`,
			`Uw factuur voor de [afgelopen|vorige] maand staat klaar in uw account bij {brand}.
			Het bedrag wordt op {date} [afgeschreven|geïncasseerd] van de rekening die u ons heeft opgegeven.
			Zorg dat er genoeg saldo is, want een terugboeking [kost|brengt] extra kosten met zich mee.
			U kunt de factuur als document [downloaden|bewaren] voor uw belasting.
			Er waren in deze periode geen [wijzigingen|veranderingen] in uw contract.
			Bedankt dat u klant bent bij {brand} en [op tijd|altijd] betaalt.`,
			`Bekijk factuur
			Nu betalen`),
		"sale": of(`{pct} % korting bij {brand}`, `[Tot|Nu] {pct} % korting`,
			`Een [paar|viertal] dagen lang krijgt u {pct} % korting op alles rond {product}.
			De korting gaat er bij de kassa vanzelf [af|vanaf] en bezorging is gratis vanaf vijftig euro.
			Onze nieuwe collectie is gemaakt voor {thing} en komt uit {city}.
			Van sommige maten zijn er nog maar {n} stuks, dus wacht niet te [lang|veel].
			Leden van de club van {brand} mogen een dag [eerder|vroeger] winkelen.`,
			`Naar de winkel`),
	},
}

// synonyms are words that a rewriting program swaps, pair by pair.
var synonyms = func() map[string]string {
	out := map[string]string{}
	for _, l := range lines(`account profile|password passcode|received obtained|request application|button control|below beneath|message notice|please kindly|change modify|new fresh
		parcel package|driver courier|deliver bring|order purchase|ready prepared|card payment-card|information details|incident event|found located|personal private|click tap
		if whenever|nothing none|will shall|can may|safe secure|today now|soon shortly|money funds|invoice bill|month period|check verify|sign-in login|device machine|near around
		trust believe|settings options|days days'|save keep|shop store|free complimentary|price cost|customers clients|week fortnight|readers subscribers|terms rules|close shut|before prior
		agree accept|renew extend|expires lapses|files documents|payment remittance|details particulars|thank appreciate|somebody someone|learned discovered|system platform|because since
		help assist|every each|always constantly|only merely|first initial|time moment|day date|many numerous|good fine|your your|our our
		wir unser-team|erhalten bekommen|konto profil|passwort kennwort|nachricht mitteilung|bitte freundlicherweise|paket päckchen|fahrer bote|rechnung faktura|betrag summe|gerät apparat|sofort umgehend|tage werktage|können dürfen|heute nun
		compte profil|colis paquet|message courriel|jours journées|demande requête|cuenta perfil|contraseña clave|factura recibo|mensaje aviso|enlace vínculo|pacco plico|messaggio avviso|factuur rekening|bedrag som`) {
		for pair := range strings.SplitSeq(l, "|") {
			a, b, _ := strings.Cut(strings.TrimSpace(pair), " ")
			out[a] = b
		}
	}
	return out
}()

// wordy is what a filter takes for good words.
var wordy = map[string]string{
	"en": "The committee met on Thursday to discuss the minutes of the last meeting and the repairs to the roof of the school. Several parents had written about the noise in the yard, and it was agreed to plant a hedge along the fence before the summer. The treasurer presented the accounts, which show a small surplus after the bazaar. Volunteers for the library are still wanted on Tuesday afternoons. The choir sings in the old chapel at the end of the month, and the football team travels to the coast for its final match. Nobody had anything to add to the report about the new bus timetable, so the chair closed the meeting at nine. Afterwards there was tea, and somebody had brought a cake with plums from the garden behind the mill.",
}
