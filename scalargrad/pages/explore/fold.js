// Folded: the cards and edges of a view with their numbers, taken from the graph that they stand for.

export class Folded {
  // view: one of data.views; a card without members is the value of its exit alone.
  constructor(view, graph) {
    this.view = view;
    this.graph = graph;
    this.cards = view.cards;
    this.cardOf = new Int32Array(graph.length).fill(-1); // constants lie on no card
    this.cards.forEach(({ exits, members = exits }, card) => members.forEach((x) => (this.cardOf[x] = card)));
    this.inner = new Float64Array(graph.length); // d exit / d value, within a card that has one exit
    this.slopes = new Float64Array(view.edges.length); // nan where there is no single one
    this.flows = new Float64Array(view.edges.length);
    this.collectLinks();
  }

  // Of each edge its links [result, place]: a place is a number of an operand.
  collectLinks() {
    const { view, graph, cardOf } = this;
    this.links = view.edges.map(() => []);
    this.edgeOf = graph.operands.map((operands) => operands.map(() => -1));
    const between = new Map(view.edges.map(([source, target], edge) => [`${source} ${target}`, edge]));
    let apart = 0;
    graph.operands.forEach((operands, result) => {
      operands.forEach((x, place) => {
        if (cardOf[x] < 0 || cardOf[x] === cardOf[result]) return;
        const edge = view.detail === "values" ? apart++ : between.get(`${cardOf[x]} ${cardOf[result]}`);
        this.links[edge].push([result, place]);
        this.edgeOf[result][place] = edge;
      });
    });
  }

  // Bring slopes and flows of all edges up to date.
  compute() {
    const { graph, cardOf, inner, cards, view } = this;
    inner.fill(0);
    for (const { exits } of cards) if (exits.length === 1) inner[exits[0]] = 1;
    for (let n = graph.length - 1; n >= 0; n--) {
      if (inner[n] === 0) continue;
      graph.operands[n].forEach((x, place) => {
        if (cardOf[x] === cardOf[n]) inner[x] += graph.slopes[n][place] * inner[n];
      });
    }
    this.links.forEach((links, edge) => {
      const [source, target] = view.edges[edge];
      const single = cards[source].exits.length === 1 && cards[target].exits.length === 1;
      let [slope, flow] = [0, 0];
      for (const [result, place] of links) {
        slope += graph.slopes[result][place] * inner[result];
        flow += graph.slopes[result][place] * graph.grad[result];
      }
      this.slopes[edge] = single ? slope : NaN;
      this.flows[edge] = flow;
    });
  }

  hasSlope(edge) {
    const [source, target] = this.view.edges[edge];
    return this.cards[source].exits.length === 1 && this.cards[target].exits.length === 1;
  }

  // Does a function of one operand pass nothing on, forward and back, such as relu below zero?
  isOff(card) {
    const { exits } = this.cards[card];
    const { graph } = this;
    const [exit] = exits;
    return exits.length === 1 && graph.data[exit] === 0 && graph.operands[exit].length === 1 && graph.slopes[exit][0] === 0
      && graph.rows[exit].partials !== null;
  }
}
