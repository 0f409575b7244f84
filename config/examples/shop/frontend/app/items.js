"use client";

import { useEffect, useState } from "react";

const api = process.env.NEXT_PUBLIC_API_URL;

async function ask(path, options) {
  const answer = await fetch(`${api}${path}`, options);
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer.json();
}

export default function Items() {
  const [items, setItems] = useState([]);
  const [problem, setProblem] = useState("");

  const load = () =>
    ask("/api/items").then(setItems).catch((error) => setProblem(error.message));
  useEffect(() => void load(), []);

  async function add(event) {
    event.preventDefault();
    const form = event.target;
    setProblem("");
    try {
      await ask("/api/items", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({
          name: form.name.value,
          price_cents: Math.round(form.price.value * 100),
        }),
      });
      form.reset();
      await load();
    } catch (error) {
      setProblem(error.message);
    }
  }

  return (
    <>
      <ul>
        {items.map((item) => (
          <li key={item.id}>
            {item.name}: {(item.price_cents / 100).toFixed(2)}
          </li>
        ))}
      </ul>
      <form onSubmit={add}>
        <input name="name" placeholder="Name" required maxLength={200} />{" "}
        <input name="price" type="number" placeholder="Price" required min="0" step="0.01" />{" "}
        <button>Add</button>
      </form>
      {problem && <p role="alert">{problem}</p>}
    </>
  );
}
