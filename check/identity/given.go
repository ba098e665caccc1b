package identity

// given are common given names of several languages, in plain letters: what tells a
// person from a slogan of two words.
var given = wordSet(`
james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony mark donald steven paul andrew joshua kenneth kevin brian george
edward ronald timothy jason jeffrey ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel gregory frank alexander raymond patrick jack
dennis jerry tyler aaron jose adam nathan henry douglas zachary peter kyle walter ethan jeremy harold keith christian roger noah gerald carl terry sean austin arthur
lawrence jesse dylan bryan joe jordan billy bruce albert willie gabriel logan alan juan wayne roy ralph randy eugene vincent russell elijah louis bobby philip johnny
mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley kimberly emily donna michelle carol amanda dorothy melissa
deborah stephanie rebecca sharon laura cynthia kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine debra rachel carolyn janet
catherine maria heather diane ruth julie olivia joyce virginia victoria kelly lauren christina joan evelyn judith megan andrea cheryl hannah jacqueline martha gloria teresa
ann sara madison frances kathryn janice jean abigail alice julia judy sophia grace denise amber doris marilyn danielle beverly isabella theresa diana natalie brittany
charlotte marie kayla alexis lori tom tim jim bob bill mike dave dan chris steve matt ben sam nick alex max tony greg jeff ken ron don ed fred phil ray kate jane sue
hans peter klaus wolfgang jurgen juergen dieter manfred uwe stefan andreas thomas michael martin frank bernd ralf joerg jorg markus matthias sebastian florian tobias jan lars
jens sven kai christoph philipp lukas felix jonas leon ursula monika petra sabine renate helga karin brigitte ingrid erika andrea gisela claudia susanne gabriele christa
birgit silke katrin anja tanja nadine sandra julia katharina lena laura jean pierre michel andre philippe alain bernard jacques daniel francois nicolas laurent olivier
marie nathalie isabelle sylvie catherine francoise valerie christine veronique sandrine celine stephanie sophie camille julien antoine guillaume mathieu
giuseppe giovanni antonio mario luigi francesco angelo vincenzo pietro salvatore carlo franco domenico bruno paolo marco andrea luca matteo alessandro giulia chiara
francesca paola anna rosa angela giovanna teresa lucia carmen caterina antonio manuel jose francisco david juan javier daniel carlos jesus alejandro miguel rafael pedro pablo
angel sergio fernando jorge luis alberto alvaro diego adrian raul enrique ramon ivan ruben oscar andres joaquin santiago maria carmen ana isabel laura cristina marta dolores
lucia pilar elena sara paula raquel rosa silvia beatriz patricia joao paulo luiz marcos rodrigo lucas gustavo felipe bruno mariana juliana fernanda aline camila
jan piotr krzysztof andrzej tomasz pawel michal marcin jakub adam lukasz katarzyna malgorzata agnieszka barbara ewa krystyna elzbieta magdalena joanna
ivan sergey dmitry alexey andrey vladimir nikolay mikhail pavel igor oleg anastasia tatiana olga elena natalia irina svetlana ekaterina yulia
mohammed muhammad ahmed ali hassan omar ibrahim yusuf khalid fatima aisha wei ming li jing yan hiroshi takashi kenji yuki akira raj amit rahul sanjay vijay anil sunil priya
deepak ravi suresh ramesh anita pooja neha erik lars anders johan per karl nils ole bjorn magnus mikael fredrik emil ingrid astrid kristina johanna eva
willem pieter johannes cornelis hendrik jeroen bart bas joost maarten sander anneke marieke
`)
