"""The store in one DynamoDB table, for many machines in one region. docs/storage.md documents every item.

How a verb stays atomic. What happens only once is one conditional write of one item, or one transaction; the condition
compares state and expiry, and a failed one gives back the item that it met, so that nothing is read after a decision.
All that a grant can do, its code and its refresh tokens, is therefore in one item.

How a client's or a person's end ends all their grants, of which there may be more than a transaction takes. Each client
and person has a generation, a random name given when they are added, and a grant names both. A verb that uses a grant
reads its client and its person, strongly consistent, before it writes: without them, or with another generation, the
grant is over. So one write ends everything, and the sweeper clears away what is left. A call that began before that
write was acknowledged may still succeed, for as long as a call may take; none that begins later does. Transactions with
condition checks would settle that moment too, but they collide on a client that many people use.
"""
